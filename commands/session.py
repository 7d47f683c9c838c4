"""What a command knows of a session, folded from the session's stream."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from commands.user import User
from events.event import Recorded
from events.session import (
    RefreshTokenReused,
    SessionContinued,
    SessionEnded,
    SessionEvent,
    SessionExpired,
    SessionStarted,
    SteppedUp,
)

__all__ = ["NO_SESSION", "Session", "evolve", "fold"]


class Session(Struct, frozen=True):
    """A session as decisions see it; `version` 0 is one that never was, `began` the position in the log where it started,
    at the moment `began_at`.

    `seen_on` is the last day (UTC) on which it is noted that the session was in use.
    """

    version: int = 0
    user_id: UUID | None = None
    ended: bool = False
    began: int = 0
    seen_on: date | None = None
    began_at: datetime | None = None

    def lives_for(self, user: User) -> bool:
        """Whether it is this user's, and nothing has ended it: neither what happened to it nor to the user."""
        own = self.user_id is not None and self.user_id == user.id
        return own and not self.ended and user.may_sign_in and self.began >= user.sessions_end


NO_SESSION: Final = Session()


def evolve(session: Session, recorded: Recorded[SessionEvent]) -> Session:
    """The session after one more fact."""
    match recorded.event:
        case SessionStarted(user_id=user_id):
            began, began_at = recorded.position, recorded.recorded_at
            known = {"user_id": user_id, "began": began, "began_at": began_at, "seen_on": began_at.date()}
            return replace(session, version=recorded.version, **known)
        case SteppedUp():
            return replace(session, version=recorded.version)
        case SessionContinued():
            return replace(session, version=recorded.version, seen_on=recorded.recorded_at.date())
        case SessionEnded() | SessionExpired() | RefreshTokenReused():
            return replace(session, version=recorded.version, ended=True)
        case unreachable:
            assert_never(unreachable)


def fold(history: Iterable[Recorded[Any]]) -> Session:
    """The session after all of a stream's facts."""
    return reduce(evolve, history, NO_SESSION)
