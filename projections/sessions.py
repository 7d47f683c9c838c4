"""Sessions: one row for each, when it was in use, and how it ended. On which device, and from where, is not told here."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias, assert_never
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import Column, DateTime, Text, Uuid

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
from events.user import EmailChangeUndone, PasswordChanged, PasswordReset, SignedOutEverywhere, UserSuspended
from projections.read_model import ReadModel, Row, Several

__all__ = ["ENDED", "EVERYWHERE", "EXPIRED", "REUSED", "SESSIONS", "SessionRow", "evolve"]

ENDED = "ended"
EXPIRED = "expired"
REUSED = "reused"
EVERYWHERE = "everywhere"


class SessionRow(Row, frozen=True, kw_only=True):
    """A session. `last_seen_at` is when it began or, on a later day (UTC), was first refreshed.

    `ending` says how it ended: its holder signed out or was signed out of it (`ended`), it was not refreshed in time
    (`expired`), a spent refresh token came again (`reused`), or all sessions of the user ended at once (`everywhere`).
    """

    user_id: UUID
    session_id: UUID
    method: str
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None = None
    ending: str | None = None


EndOfAll: TypeAlias = SignedOutEverywhere | PasswordChanged | PasswordReset | EmailChangeUndone | UserSuspended
SessionsEvent: TypeAlias = SessionEvent | EndOfAll


def evolve(rows: Sequence[SessionRow], recorded: Recorded[SessionsEvent]) -> Iterable[SessionRow]:
    """The sessions of a user that change; one that is over stays as it is."""
    event, at = recorded.event, recorded.recorded_at
    this = [row for row in rows if row.session_id == recorded.stream_id]
    match event:
        case SessionStarted(user_id=user_id, method=method):
            session_id = recorded.stream_id
            return [SessionRow(user_id=user_id, session_id=session_id, method=method, started_at=at, last_seen_at=at)]
        case SessionContinued():
            return [replace(row, last_seen_at=at) for row in this]
        case SteppedUp():
            return []
        case SessionEnded():
            return _over(this, at, ENDED)
        case SessionExpired():
            return _over(this, at, EXPIRED)
        case RefreshTokenReused():
            return _over(this, at, REUSED)
        case SignedOutEverywhere() | PasswordChanged() | PasswordReset() | EmailChangeUndone() | UserSuspended():
            return _over(rows, at, EVERYWHERE)
        case unreachable:
            assert_never(unreachable)


def _over(rows: Iterable[SessionRow], at: datetime, ending: str) -> list[SessionRow]:
    return [replace(row, ended_at=at, ending=ending) for row in rows]


SESSIONS = ReadModel(
    "sessions",
    1,
    columns=(
        Column("user_id", Uuid, primary_key=True),
        Column("session_id", Uuid, primary_key=True),
        Column("method", Text(collation="C"), nullable=False),
        Column("started_at", DateTime(timezone=True), nullable=False),
        Column("last_seen_at", DateTime(timezone=True), nullable=False),
        Column("ended_at", DateTime(timezone=True)),
        Column("ending", Text(collation="C")),
    ),
    row=SessionRow,
    key="user_id",
    events=SessionsEvent,
    evolve=Several(evolve, closed_by="ended_at"),
    opens_seals=False,
)
