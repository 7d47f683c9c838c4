"""Asking for a link with which a new password can be chosen."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands.addresses import any_key
from commands.errors import NoSuchUser
from commands.owners import owner_of
from commands.unit import Unit
from commands.user import Mail, User
from events.user import PasswordResetRequested, UserEvent

__all__ = ["RequestPasswordReset", "RequestPasswordResetOf"]


class RequestPasswordReset(Struct, frozen=True):
    """Have a link mailed to an address, if somebody has it. Nobody learns whether: both take as long.

    An address that is registered and not proved yet is mailed too: whoever opens the link has proved it.
    """

    email: str

    def decide(self, user: User, now: datetime) -> list[UserEvent]:
        """The link is asked for, unless it was often enough within the hour."""
        wanted = (
            user.active and not user.suspended and not user.service and user.may_be_mailed(Mail.PASSWORD_RESET, now)
        )
        return [PasswordResetRequested()] if wanted else []

    async def perform(self, unit: Unit) -> None:
        """Find whose address it is, and decide on that user's stream."""
        user_id, user = await owner_of(unit, any_key(unit.rules.claims_key, self.email))
        unit.record_user(user_id, *self.decide(user, unit.now))
        unit.pretend()


class RequestPasswordResetOf(Struct, frozen=True):
    """Have the link mailed to a user whom the asker may see, and change."""

    user_id: UUID

    def decide(self, user: User, now: datetime) -> list[UserEvent]:
        """The link is asked for, unless it was often enough within the hour, or the user is suspended or a service account."""
        if not user.active:
            raise NoSuchUser
        return RequestPasswordReset("").decide(user, now)

    async def perform(self, unit: Unit) -> bool:
        """Decide on the user's stream; whether a mail is owed."""
        events = self.decide(await unit.user(self.user_id), unit.now)
        unit.record_user(self.user_id, *events)
        return bool(events)
