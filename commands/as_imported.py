"""How someone came who was a user elsewhere: what a row that is imported again is held against."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from events.event import Recorded
from events.user import RoleGranted, UserEvent, UserImported, UserSuspended

__all__ = ["AsImported", "came_with"]


class AsImported(Struct, frozen=True):
    """What was told of someone who was imported, and the roles and the suspension that they came with."""

    told: UserImported
    at: datetime
    roles: frozenset[str] = frozenset()
    suspended: bool = False


def came_with(imported: AsImported | None, recorded: Recorded[UserEvent]) -> AsImported | None:
    """How they came, given one more fact: it belongs to that when it was recorded in the same moment."""
    if imported is None or recorded.recorded_at != imported.at:
        return imported
    match recorded.event:
        case RoleGranted(role=role):
            return replace(imported, roles=imported.roles | {role})
        case UserSuspended():
            return replace(imported, suspended=True)
        case _:
            return imported
