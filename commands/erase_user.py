"""Forgetting everything personal about someone: the key that sealed it is destroyed."""

from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, any_key
from commands.administrators import Administrators
from commands.end_all_sessions import end_sessions
from commands.errors import NoSuchUser
from commands.external_ids import EXTERNAL_SCOPE, external_key
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
        for scope, key in sorted(_claimed(unit.rules.claims_key, user)):
            if await unit.owner(scope, key) == self.user_id:
                unit.claim(scope, key, expected=self.user_id, owner=None)
        await unit.forget_subject(self.user_id)


def _claimed(secret: bytes, user: User) -> set[tuple[str, bytes]]:
    """What the user may have claimed and not given up: addresses, and the id elsewhere of who was imported."""
    emails = {user.email, *(former.email for former in user.former)}
    claimed = {(EMAIL_SCOPE, any_key(secret, email)) for email in emails if isinstance(email, str)}
    if user.imported is not None and isinstance(user.imported.told.external_id, str):
        claimed.add((EXTERNAL_SCOPE, external_key(secret, user.imported.told.external_id)))
    return claimed
