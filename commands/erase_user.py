"""Forgetting everything personal about someone: the key that sealed it is destroyed."""

from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, any_key
from commands.administrators import Administrators
from commands.end_all_sessions import end_sessions
from commands.errors import NoSuchUser
from commands.last_administrator import removed
from commands.roles import ADMINISTRATOR
from commands.unit import Unit
from commands.user import User
from events.administrators import AdministratorsEvent
from events.user import UserErased, UserEvent

__all__ = ["EraseUser"]


class EraseUser(Struct, frozen=True):
    """Erase a user at once and for good. The reason, which is sealed as all reasons are, is forgotten with the rest.

    The address is free again, and every session ends. Registrations that came to nothing can be erased as well.
    """

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """The user is erased, unless they are already."""
        if user.version == 0:
            raise NoSuchUser
        return [] if user.erased else [UserErased()]

    def decide_administrators(self, administrators: Administrators) -> list[AdministratorsEvent]:
        """One who can administer remains. Raises `LastAdministrator`."""
        return removed(administrators, self.user_id)

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream and the administrators', release claims, and destroy the key.

        With the key go, in the same transaction, all secrets and receipts of the user; other processes are told.
        """
        user = await unit.user(self.user_id)
        events = self.decide(user)
        if not events:
            return
        unit.record_user(self.user_id, *events)
        if ADMINISTRATOR in user.roles:
            unit.record_administrators(self.user_id, *self.decide_administrators(await unit.administrators()))
        await end_sessions(unit, self.user_id)
        for email in {user.email, *(former.email for former in user.former)}:
            if isinstance(email, str):
                await self._release(unit, any_key(unit.rules.claims_key, email))
        await unit.forget_subject(self.user_id)

    async def _release(self, unit: Unit, key: bytes) -> None:
        """The address is anybody's again, unless it was given up before."""
        if await unit.owner(EMAIL_SCOPE, key) == self.user_id:
            unit.claim(EMAIL_SCOPE, key, expected=self.user_id, owner=None)
