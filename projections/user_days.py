"""Days of users: one row for each user and day (UTC) on which something happened, for statistics to add up."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final, TypeAlias
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import Column, ColumnElement, Date, Index, Integer, Uuid, column

from events.event import Event, Recorded
from events.session import (
    RefreshTokenReused,
    SessionContinued,
    SessionEnded,
    SessionEvent,
    SessionExpired,
    SessionStarted,
)
from events.user import (
    EmailChanged,
    EmailVerified,
    PasswordChanged,
    PasswordReset,
    RegistrationLapsed,
    RegistrationSuperseded,
    UserErased,
    UserEvent,
    UserImported,
    UserLocked,
    UserRegistered,
    UserReinstated,
    UserSuspended,
)
from projections.read_model import ReadModel, Row, Several

__all__ = ["USER_DAYS", "UserDay", "evolve"]


class UserDay(Row, frozen=True, kw_only=True):
    """A day of a user: how often it happened, and on how many events that is counted in all.

    `registered_on` is the day of the registration, in every row; somebody who was imported counts as registered on the
    day of that. `next_on` is the next day on which something happened, null for the latest.
    `seen` are the sessions that began, or went on from an earlier day, and `signed_in` those that began; `lapsed` is a
    registration that ended because nobody proved its address. `locked` is one series of failed sign-ins.
    """

    user_id: UUID
    day: date
    registered_on: date
    next_on: date | None = None
    events: int = 0
    registered: int = 0
    verified: int = 0
    lapsed: int = 0
    seen: int = 0
    signed_in: int = 0
    sessions_ended: int = 0
    sessions_expired: int = 0
    tokens_reused: int = 0
    locked: int = 0
    password_changed: int = 0
    password_reset: int = 0
    email_changed: int = 0
    suspended: int = 0
    reinstated: int = 0
    erased: int = 0


UserDaysEvent: TypeAlias = UserEvent | SessionEvent

COUNTED: Final[Mapping[type[Event], tuple[str, ...]]] = {
    UserRegistered: ("registered",),
    UserImported: ("registered",),
    EmailVerified: ("verified",),
    RegistrationLapsed: ("lapsed",),
    RegistrationSuperseded: ("lapsed",),
    SessionStarted: ("seen", "signed_in"),
    SessionContinued: ("seen",),
    SessionEnded: ("sessions_ended",),
    SessionExpired: ("sessions_expired",),
    RefreshTokenReused: ("tokens_reused",),
    UserLocked: ("locked",),
    PasswordChanged: ("password_changed",),
    PasswordReset: ("password_reset",),
    EmailChanged: ("email_changed",),
    UserSuspended: ("suspended",),
    UserReinstated: ("reinstated",),
    UserErased: ("erased",),
}
"""Where each event is counted beside `events`, where all of them are."""


_FIRST: Final = (UserRegistered, UserImported)


def evolve(rows: Sequence[UserDay], recorded: Recorded[UserDaysEvent]) -> Iterable[UserDay]:
    """The latest day counts one event more, or a new day begins; the log's days only ever go forward."""
    day = recorded.recorded_at.date()
    latest = rows[0] if rows else None
    if latest is None:
        if not isinstance(recorded.event, _FIRST):
            return []
        return [_counted(UserDay(user_id=recorded.stream_id, day=day, registered_on=day), recorded.event)]
    if latest.day == day:
        return [_counted(latest, recorded.event)]
    new = UserDay(user_id=latest.user_id, day=day, registered_on=latest.registered_on)
    return [replace(latest, next_on=day), _counted(new, recorded.event)]


def _counted(row: UserDay, event: Event) -> UserDay:
    return replace(row, **{name: getattr(row, name) + 1 for name in ("events", *COUNTED.get(type(event), ()))})


def _above_zero(name: str) -> ColumnElement[bool]:
    return column(name, Integer) > 0


USER_DAYS = ReadModel(
    "user_days",
    3,
    columns=(
        Column("user_id", Uuid, primary_key=True),
        Column("day", Date, primary_key=True),
        Column("registered_on", Date, nullable=False),
        Column("next_on", Date),
        *(Column(name, Integer, nullable=False) for name, kind in UserDay.__annotations__.items() if kind is int),
    ),
    # Each question is counted in an index of its own, of the rows that count, without reading the rows themselves. A row
    # whose `seen` changes again on its day touches its indexes for that; most days of a user are seen once.
    indexes=(
        *(
            Index(None, "day", name, postgresql_where=_above_zero(name))
            for name in ("registered", "verified", "lapsed")
        ),
        Index(None, "day", "user_id", postgresql_include=["signed_in"], postgresql_where=_above_zero("seen")),
        Index(None, "registered_on", "day", "user_id", postgresql_where=_above_zero("seen")),
    ),
    row=UserDay,
    key="user_id",
    events=UserDaysEvent,
    evolve=Several(evolve, closed_by="next_on"),
    opens_seals=False,
)
