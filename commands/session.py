"""What a command knows of a session, folded from the session's stream."""

from collections.abc import Iterable
from datetime import date
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.event import Recorded
from events.session import (
    RefreshTokenReused,
    SessionContinued,
    SessionEnded,
    SessionEvent,
    SessionExpired,
    SessionStarted,
)

__all__ = ["NO_SESSION", "Session", "evolve", "fold"]


class Session(Struct, frozen=True):
    """A session as decisions see it; `version` 0 is one that never was, `began` the position in the log where it started.

    `seen_on` is the last day (UTC) on which it is noted that the session was in use.
    """

    version: int = 0
    user_id: UUID | None = None
    ended: bool = False
    began: int = 0
    seen_on: date | None = None


NO_SESSION: Final = Session()


def evolve(session: Session, recorded: Recorded[SessionEvent]) -> Session:
    """The session after one more fact."""
    match recorded.event:
        case SessionStarted(user_id=user_id):
            began, seen_on = recorded.position, recorded.recorded_at.date()
            return replace(session, version=recorded.version, user_id=user_id, began=began, seen_on=seen_on)
        case SessionContinued():
            return replace(session, version=recorded.version, seen_on=recorded.recorded_at.date())
        case SessionEnded() | SessionExpired() | RefreshTokenReused():
            return replace(session, version=recorded.version, ended=True)
        case unreachable:
            assert_never(unreachable)


def fold(history: Iterable[Recorded[Any]]) -> Session:
    """The session after all of a stream's facts."""
    return reduce(evolve, history, NO_SESSION)
