"""Having an authenticator app no longer."""

from collections.abc import Iterable
from uuid import UUID

from msgspec import Struct

from commands import recovery_codes
from commands.errors import NoSuchUser
from commands.totp import KIND
from commands.unit import Unit
from commands.user import User
from events.user import TotpRemoved, UserEvent

__all__ = ["RemoveTotp", "drop_unopened"]


class RemoveTotp(Struct, frozen=True):
    """Let the codes of the user's app count no longer. With the last second factor the recovery codes are gone as well."""

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """The secret is destroyed, if there is one, confirmed or not."""
        if not user.active:
            raise NoSuchUser
        return [TotpRemoved()] if user.factors.totp or user.factors.totp_enrolled else []

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and drop what is kept."""
        user = await unit.user(self.user_id)
        events = self.decide(user)
        unit.record_user(self.user_id, *events)
        kinds = (KIND,) if user.factors.passkeys else (KIND, recovery_codes.KIND)
        if events:
            await drop_unopened(unit, self.user_id, kinds)


async def drop_unopened(unit: Unit, user_id: UUID, kinds: Iterable[str]) -> None:
    """Keep secrets of these kinds no longer, whether or not they still open: one that was altered must be removable."""
    for kind in kinds:
        for owner_id, revision, _version in await unit.secrets_of(user_id, kind):
            unit.drop_secret_at(owner_id, kind, user_id, revision)
