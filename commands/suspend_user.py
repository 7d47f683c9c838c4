"""Shutting a user out, and letting them in again; an administrator who is shut out does not count as one meanwhile."""

from uuid import UUID

from msgspec import Struct

from commands.administrators import Administrators
from commands.end_all_sessions import end_sessions
from commands.errors import NoSuchUser
from commands.last_administrator import removed
from commands.roles import ADMINISTRATOR
from commands.unit import Unit
from commands.user import User
from events.administrators import AdministratorAdded, AdministratorsEvent
from events.user import UserEvent, UserReinstated, UserSuspended

__all__ = ["ReinstateUser", "SuspendUser"]


class SuspendUser(Struct, frozen=True):
    """Let a user in no longer. Every session ends, and what was mailed to them opens nothing.

    But for taking a former address back, which lets nobody in either.
    """

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """The user is shut out, unless they are already."""
        if not user.active:
            raise NoSuchUser
        return [] if user.suspended else [UserSuspended()]

    def decide_administrators(self, administrators: Administrators) -> list[AdministratorsEvent]:
        """One who can administer remains. Raises `LastAdministrator`."""
        return removed(administrators, self.user_id)

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream and the administrators', and end the sessions."""
        user = await unit.user(self.user_id)
        events = self.decide(user)
        if not events:
            return
        unit.record_user(self.user_id, *events)
        if ADMINISTRATOR in user.roles:
            unit.record_administrators(self.user_id, *self.decide_administrators(await unit.administrators()))
        await end_sessions(unit, self.user_id)


class ReinstateUser(Struct, frozen=True):
    """Let a user in again who was suspended."""

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """The user may sign in again, if they could not."""
        if not user.active:
            raise NoSuchUser
        return [UserReinstated()] if user.suspended else []

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream; an administrator counts as one again."""
        user = await unit.user(self.user_id)
        events = self.decide(user)
        unit.record_user(self.user_id, *events)
        if events and ADMINISTRATOR in user.roles and self.user_id not in (await unit.administrators()).ids:
            unit.record_administrators(self.user_id, AdministratorAdded(self.user_id))
