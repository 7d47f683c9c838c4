"""What a command knows of the administrators, folded from their one stream."""

from collections.abc import Iterable
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.administrators import (
    AdministratorAdded,
    AdministratorRemoved,
    AdministratorsEvent,
    FirstAdministratorInvited,
)
from events.event import Recorded

__all__ = ["NO_ADMINISTRATORS", "Administrators", "evolve", "fold"]


class Administrators(Struct, frozen=True):
    """Who administers; `invited_version` is the version of the invitation of the first one, 0 before it."""

    version: int = 0
    invited_version: int = 0
    ids: frozenset[UUID] = frozenset()


NO_ADMINISTRATORS: Final = Administrators()


def evolve(administrators: Administrators, recorded: Recorded[AdministratorsEvent]) -> Administrators:
    """The administrators after one more fact."""
    version = recorded.version
    match recorded.event:
        case FirstAdministratorInvited():
            return replace(administrators, version=version, invited_version=version)
        case AdministratorAdded(user_id=user_id):
            return replace(administrators, version=version, ids=administrators.ids | {user_id})
        case AdministratorRemoved(user_id=user_id):
            return replace(administrators, version=version, ids=administrators.ids - {user_id})
        case unreachable:
            assert_never(unreachable)


def fold(history: Iterable[Recorded[Any]]) -> Administrators:
    """The administrators after all of the stream's facts."""
    return reduce(evolve, history, NO_ADMINISTRATORS)
