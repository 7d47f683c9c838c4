"""What users are found by and sorted by: their names and addresses in plain letters.

They stand apart from the users because an index of trigrams costs more at each change of a row than all else there is,
and a row of users changes with every sign-in, this one only with a name or an address.
"""

from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import Column, DateTime, Index, Text, Uuid

from events.event import Recorded
from events.user import (
    DisplayNameChanged,
    EmailChanged,
    EmailChangeUndone,
    RegistrationLapsed,
    RegistrationSuperseded,
    ServiceAccountCreated,
    UserImported,
    UserRegistered,
)
from projections.plain_text import plain
from projections.read_model import ReadModel, Row

__all__ = ["USER_NAMES", "UserNamesRow", "evolve", "sought"]

MOST_SORTED: Final = 60
"""Characters of a name that count in the order; an index takes no entry of any length, and cursors carry it."""

BEGINNING: Final = "\n "
"""Stands before the name and before the address. No term has it, so that none reaches over from one into the other."""


class UserNamesRow(Row, frozen=True, kw_only=True):
    """`name` is that by which the user is sorted, None for none; `sought` holds name and address, as `sought` makes it.

    `registered_at` is here as well, so that the newest can be found in the order in which lists usually are.
    """

    id: UUID
    registered_at: datetime
    name: str | None
    sought: str


NamesEvent: TypeAlias = (
    UserRegistered
    | UserImported
    | ServiceAccountCreated
    | DisplayNameChanged
    | EmailChanged
    | EmailChangeUndone
    | RegistrationSuperseded
    | RegistrationLapsed
)


def sought(name: str | None, email: str) -> str:
    """The text that is searched; each word of the name, and the address, has a blank before it."""
    return f"{BEGINNING}{plain(name or '')}{BEGINNING}{plain(email)}"


def evolve(row: UserNamesRow | None, recorded: Recorded[NamesEvent]) -> UserNamesRow | None:
    """The names after one more fact; none, when superseded, lapsed or forgotten."""
    match recorded.event:
        case UserRegistered(email=str(email), display_name=str() | None as name) if row is None:
            return _first(recorded, recorded.recorded_at, name, email)
        case UserImported(email=str(email), display_name=str() | None as name, registered_at=at) if row is None:
            return _first(recorded, at or recorded.recorded_at, name, email)
        case ServiceAccountCreated(name=str(name)) if row is None:
            return _first(recorded, recorded.recorded_at, name, "")
        case UserRegistered() | UserImported() | ServiceAccountCreated() if row is not None:
            return row
        case DisplayNameChanged(display_name=str() | None as name) if row is not None:
            _, _, address = row.sought.rpartition(BEGINNING)
            return replace(row, name=_sorted_by(name), sought=f"{BEGINNING}{plain(name or '')}{BEGINNING}{address}")
        case EmailChanged(email=str(email)) | EmailChangeUndone(email=str(email)) if row is not None:
            name, _, _ = row.sought.rpartition(BEGINNING)
            return replace(row, sought=f"{name}{BEGINNING}{plain(email)}")
        case _:
            return None


def _first(recorded: Recorded[NamesEvent], at: datetime, name: str | None, email: str) -> UserNamesRow:
    return UserNamesRow(id=recorded.stream_id, registered_at=at, name=_sorted_by(name), sought=sought(name, email))


def _sorted_by(name: str | None) -> str | None:
    return None if name is None else plain(name)[:MOST_SORTED]


USER_NAMES = ReadModel(
    "user_names",
    1,
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("registered_at", DateTime(timezone=True), nullable=False),
        Column("name", Text(collation="C")),
        Column("sought", Text(collation="C"), nullable=False),
    ),
    indexes=(
        Index(None, "registered_at", "id"),
        Index(None, "name", "id"),
        Index(None, "sought", postgresql_using="gin", postgresql_ops={"sought": "gin_trgm_ops"}),
    ),
    row=UserNamesRow,
    key="id",
    events=NamesEvent,
    evolve=evolve,
)
