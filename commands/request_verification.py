"""Asking for the link once more that proves an address."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands.unit import Unit
from commands.user import Mail, User
from events.user import EmailChangeRequested, UserEvent, VerificationRequested

__all__ = ["RequestVerification"]


class RequestVerification(Struct, frozen=True):
    """Have the link mailed again: that of the registration or, for `oneself`, that of a change that was asked for.

    Whether there is such a user, and anything to prove, nobody learns. Five mails an hour at most.
    """

    user_id: UUID
    oneself: bool = False

    def decide(self, user: User, now: datetime) -> list[UserEvent]:
        """The link is asked for again, if there is one to ask for."""
        if not user.active or user.suspended or user.service:
            return []
        if not user.email_verified:
            return [VerificationRequested()] if user.may_be_mailed(Mail.VERIFICATION, now) else []
        if self.oneself and isinstance(user.new_email, str) and user.may_be_mailed(Mail.EMAIL_CHANGE, now):
            return [EmailChangeRequested(user.new_email)]
        return []

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream; it takes as long where there is nothing to decide."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id), unit.now))
        unit.pretend()
