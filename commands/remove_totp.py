"""Having an authenticator app no longer."""

from uuid import UUID

from msgspec import Struct

from commands.drop_factors import drop_factors
from commands.errors import NoSuchUser
from commands.unit import Unit
from commands.user import User
from events.user import TotpRemoved

__all__ = ["RemoveTotp"]


class RemoveTotp(Struct, frozen=True):
    """Let the codes of the user's app count no longer. With the last second factor the recovery codes are gone as well."""

    user_id: UUID

    def decide(self, user: User) -> list[TotpRemoved]:
        """The secret is destroyed, if there is one, confirmed or not."""
        if not user.active:
            raise NoSuchUser
        return [TotpRemoved()] if user.factors.totp or user.factors.totp_enrolled else []

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and drop what is kept."""
        user = await unit.user(self.user_id)
        removed = self.decide(user)
        unit.record_user(self.user_id, *removed)
        await drop_factors(unit, self.user_id, user.factors, removed)
