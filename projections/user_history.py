"""How users were: one row for each version of a user, so that SQL can ask what was true at any moment."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import BigInteger, Column, DateTime, Text

from events.event import Recorded
from events.user import UserEvent
from projections.read_model import ReadModel, Several
from projections.users import KnownUser, known, known_columns

__all__ = ["USER_HISTORY", "UserVersion", "evolve"]


class UserVersion(KnownUser, frozen=True, kw_only=True):
    """A user from the moment `valid_from` until just before `valid_to`, which is null for the present version.

    `made_by` is the event that made the version, at the position `made_at` of the log. Versions that were made at one
    moment follow each other: of all but the last of them, `valid_to` is `valid_from`, and no moment is theirs.
    """

    valid_from: datetime
    valid_to: datetime | None = None
    made_by: str
    made_at: int


def evolve(rows: Sequence[UserVersion], recorded: Recorded[UserEvent]) -> Iterable[UserVersion] | None:
    """One version ends and the next begins; none is left of a registration that came to nothing, or of who was forgotten."""
    present = rows[0] if rows else None
    event, at = recorded.event, recorded.recorded_at
    made = {"valid_from": at, "made_by": type(event).__name__, "made_at": recorded.position}
    new = known(UserVersion, present, event, recorded, **made)
    if new is None:
        return None
    return [new] if present is None else [replace(present, valid_to=at), new]


USER_HISTORY = ReadModel(
    "user_history",
    2,
    columns=(
        *known_columns("id", "version"),
        Column("valid_from", DateTime(timezone=True), nullable=False),
        Column("valid_to", DateTime(timezone=True)),
        Column("made_by", Text(collation="C"), nullable=False),
        Column("made_at", BigInteger, nullable=False),
    ),
    row=UserVersion,
    key="id",
    events=UserEvent,
    evolve=Several(evolve, closed_by="valid_to"),
)
