"""Having a passkey no longer."""

from uuid import UUID

from msgspec import Struct

from commands.drop_factors import drop_factors
from commands.errors import NoSuchPasskey, NoSuchUser
from commands.unit import Unit
from commands.user import User
from events.user import PasskeyRemoved

__all__ = ["RemovePasskey"]


class RemovePasskey(Struct, frozen=True):
    """Let a passkey open nothing any more. With the last second factor the recovery codes are gone as well."""

    user_id: UUID
    passkey_id: UUID

    def decide(self, user: User) -> list[PasskeyRemoved]:
        """It is removed, if it is the user's."""
        if not user.active:
            raise NoSuchUser
        if self.passkey_id not in user.factors.passkeys:
            raise NoSuchPasskey
        return [PasskeyRemoved(self.passkey_id)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and keep its key no longer."""
        user = await unit.user(self.user_id)
        removed = self.decide(user)
        unit.record_user(self.user_id, *removed)
        await drop_factors(unit, self.user_id, user.factors, removed)
