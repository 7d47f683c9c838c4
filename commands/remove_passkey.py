"""Having a passkey no longer."""

from uuid import UUID

from msgspec import Struct

from commands import recovery_codes
from commands.errors import NoSuchPasskey, NoSuchUser
from commands.passkeys import KIND, Passkeys
from commands.remove_totp import drop_unopened
from commands.unit import Unit
from commands.user import User
from events.user import PasskeyRemoved, UserEvent

__all__ = ["RemovePasskey"]


class RemovePasskey(Struct, frozen=True):
    """Let a passkey open nothing any more. With the last second factor the recovery codes are gone as well."""

    user_id: UUID
    passkey_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """It is removed, if it is the user's."""
        if not user.active:
            raise NoSuchUser
        if self.passkey_id not in user.factors.passkeys:
            raise NoSuchPasskey
        return [PasskeyRemoved(self.passkey_id)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and keep its key no longer."""
        user = await unit.user(self.user_id)
        unit.record_user(self.user_id, *self.decide(user))
        if secret := await unit.secret(self.user_id, KIND):
            left = Passkeys.from_bytes(secret.plain).without(self.passkey_id)
            if left.items:
                await unit.keep_secret(self.user_id, KIND, self.user_id, left.to_bytes(), secret.revision)
            else:
                unit.drop_secret(secret)
        if not user.factors.totp and user.factors.passkeys == {self.passkey_id}:
            await drop_unopened(unit, self.user_id, (recovery_codes.KIND,))
