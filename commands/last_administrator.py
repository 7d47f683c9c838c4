"""Whoever stops to administer, for whatever reason: another one remains."""

from uuid import UUID

from commands.administrators import Administrators
from commands.errors import LastAdministrator
from events.administrators import AdministratorRemoved, AdministratorsEvent

__all__ = ["removed"]


def removed(administrators: Administrators, user_id: UUID) -> list[AdministratorsEvent]:
    """What is recorded of an administrator who is one no longer. Raises `LastAdministrator`."""
    if user_id not in administrators.ids:
        return []
    if len(administrators.ids) == 1:
        raise LastAdministrator
    return [AdministratorRemoved(user_id)]
