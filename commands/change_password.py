"""Choosing another password while knowing the present one."""

from uuid import UUID

from msgspec import Struct

from commands.end_all_sessions import end_sessions
from commands.errors import NoSuchUser
from commands.passwords import acceptable
from commands.present_password import verify_present_password
from commands.secrets import PASSWORD
from commands.unit import Unit
from commands.user import User
from events.user import PasswordChanged, UserEvent

__all__ = ["ChangePassword"]


class ChangePassword(Struct, frozen=True):
    """Have another password. Every session ends, also the one in which this is asked: sign in with the new one."""

    user_id: UUID
    password: str
    new_password: str

    def decide(self, user: User) -> list[UserEvent]:
        """The password changes."""
        if not user.may_sign_in:
            raise NoSuchUser
        return [PasswordChanged()]

    async def perform(self, unit: Unit) -> None:
        """Check the present password, keep the new one's hash in its place, and end the sessions."""
        user = await unit.user(self.user_id)
        events = self.decide(user)
        new = acceptable(self.new_password, email=user.email if isinstance(user.email, str) else "")
        secret = await verify_present_password(unit, self.user_id, self.password)
        hashed = await unit.once("hash", lambda: unit.hasher.hash(new))
        unit.record_user(self.user_id, *events)
        await unit.keep_secret(self.user_id, PASSWORD, self.user_id, hashed.encode(), secret.revision)
        await end_sessions(unit, self.user_id)
