"""Letting someone in again by the password alone who has lost whatever else is asked for."""

from uuid import UUID

from msgspec import Struct

from commands import passkeys, recovery_codes, totp
from commands.remove_totp import RemoveTotp, drop_unopened
from commands.unit import Unit
from commands.user import User
from events.user import PasskeyRemoved, UserEvent

__all__ = ["RemoveFactors"]


class RemoveFactors(Struct, frozen=True):
    """Take every second factor from a user, and the recovery codes. The password stays, and is enough from now on."""

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """Each factor is removed, confirmed or not."""
        removed = [PasskeyRemoved(passkey_id) for passkey_id in sorted(user.factors.passkeys)]
        return [*RemoveTotp(self.user_id).decide(user), *removed]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and drop what is kept."""
        events = self.decide(await unit.user(self.user_id))
        unit.record_user(self.user_id, *events)
        if events:
            await drop_unopened(unit, self.user_id, (totp.KIND, passkeys.KIND, recovery_codes.KIND))
