"""What is told of someone otherwise than it was, and than it is: for whoever sends a row again, or another one."""

from typing import Any, Final
from uuid import UUID

import msgspec

from commands.as_imported import AsImported
from commands.user import User
from events.personal import Forgotten

__all__ = ["differing"]

ALIKE: Final = ("email", "email_verified", "display_name", "locale", "time_zone", "picture_url")
LEFT_OPEN: Final = ("external_id", "registered_at", "id")
"""What need not be told of who is here."""
_sorted: Final = msgspec.json.Encoder(order="sorted").encode


def differing(user: User, told: AsImported, told_id: UUID | None) -> tuple[str, ...]:
    """The fields that are neither as they were when the user came nor as they are now.

    A password cannot be compared: its hash is gone once its owner has signed in.
    """
    now = _known(user)
    then = now if user.imported is None else now | _told(user.imported)
    asked = _told(told) | {"id": told_id}
    return tuple(
        name
        for name, value in asked.items()
        if value not in (now[name], then[name]) and not (value is None and name in LEFT_OPEN)
    )


def _known(user: User) -> dict[str, Any]:
    """What is so of a user, by the names that it has where users are told."""
    return {
        **{name: getattr(user, name) for name in ALIKE},
        "metadata": _sorted((user.own_metadata, user.administrators_metadata)),
        "roles": user.roles,
        "suspended": user.suspended,
        "external_id": None if user.imported is None else user.imported.told.external_id,
        "registered_at": user.registered_at,
        "id": user.id,
    }


def _told(imported: AsImported) -> dict[str, Any]:
    """What was told of them, by the same names."""
    told = imported.told
    return {
        **{name: getattr(told, name) for name in ALIKE},
        "metadata": _sorted((_entries(told.own_metadata), _entries(told.administrators_metadata))),
        "roles": imported.roles,
        "suspended": imported.suspended,
        "external_id": told.external_id,
        "registered_at": told.registered_at,
    }


def _entries(changes: tuple[tuple[str, Any], ...] | Forgotten) -> Any:
    return changes if isinstance(changes, Forgotten) else dict(changes)
