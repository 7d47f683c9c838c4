"""Having another address: asked for here, changed when it is proved."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands.addresses import address
from commands.errors import NoSuchUser
from commands.present_password import verify_present_password
from commands.unit import Unit
from commands.user import Mail, User
from events.user import EmailChangeRequested, UserEvent

__all__ = ["ChangeEmail"]


class ChangeEmail(Struct, frozen=True):
    """Ask for another address. Nobody learns whether somebody has it: a link is mailed to it in any case.

    Safe to repeat: each time the link is mailed anew, five times an hour at most, and only the newest works.
    """

    user_id: UUID
    email: str
    password: str

    def decide(self, user: User, email: str, now: datetime) -> list[UserEvent]:
        """The change is asked for, unless that is the address already, or the new one was written to often enough."""
        if not user.may_sign_in:
            raise NoSuchUser
        if email == user.email or not user.may_be_mailed(Mail.EMAIL_CHANGE, now):
            return []
        return [EmailChangeRequested(email)]

    async def perform(self, unit: Unit) -> None:
        """Check the present password and decide on the user's stream."""
        email = address(self.email)
        user = await unit.user(self.user_id)
        events = self.decide(user, email.written, unit.now)
        await verify_present_password(unit, self.user_id, self.password)
        unit.record_user(self.user_id, *events)
