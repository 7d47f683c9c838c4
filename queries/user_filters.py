"""Which users a list shows and in which order, as clauses over the two read models that it is made from."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ARRAY, ColumnElement, DateTime, Text, any_, func, or_

from projections.database import given
from projections.plain_text import plain
from projections.users import ACTIVE, LOCKED, SUSPENDED, UNVERIFIED

__all__ = [
    "CONDITIONS",
    "MOST_SEARCHED",
    "NEWEST_FIRST",
    "PART",
    "SORTS",
    "Place",
    "Sort",
    "UserFilters",
    "found_by",
    "pattern",
]

MOST_SEARCHED: Final = 100
"""Characters of a term."""

FIRST_WIDE: Final = 0x2E80
"""From here on letters are written wide, without blanks between words: Chinese, Japanese, Korean."""

HAS_TRIGRAMS: Final = re.compile(r"[^\W_]{3}|[^\W_]{2}[\W_](?!$)|[\W_](?<!^%)[^\W_]")
"""Whether a pattern holds three letters in a row, or some of them at the beginning or the end of a word."""

PART: Final = "part of search"
"""The condition that a text has a part of the term."""

Columns = Mapping[str, ColumnElement[Any]]
"""The columns of users and of their names, wherever they are taken from."""


class UserFilters(Struct, frozen=True):
    """Whom to list: those for whom all that is given holds; of several statuses or roles, any one.

    Times are from (inclusive) and to (exclusive). Nobody who never signed in was seen at any time. `search` is text that
    the name or the address contains, in `plain` letters; nobody has text of which then nothing is left.
    """

    statuses: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    verified: bool | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    seen_from: datetime | None = None
    seen_to: datetime | None = None
    search: str | None = None

    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions that say it, always in the same order."""
        names = {name for name in self.__struct_fields__ if getattr(self, name) not in (None, frozenset(), False)}
        if self.search is not None and not HAS_TRIGRAMS.search(self._pattern()):
            names = names - {"search"} | {"search everyone"}
        if self.verified is False:
            names.add("unverified")
        if self.statuses and ACTIVE not in self.statuses:
            names.add(f"only {' or '.join(sorted(self.statuses))}")
        return tuple(sorted(names))

    def values(self) -> dict[str, Any]:
        """What the conditions are given."""
        return {
            "statuses": list(self.statuses),
            "roles": list(self.roles),
            "created_from": self.created_from,
            "created_to": self.created_to,
            "seen_from": self.seen_from,
            "seen_to": self.seen_to,
            "search": None if self.search is None else self._pattern(),
            "term": None if self.search is None else self.term,
        }

    @property
    def term(self) -> str:
        """What is searched for, in plain letters."""
        assert self.search is not None
        return plain(self.search) or self.search

    def _pattern(self) -> str:
        return pattern(self.term)


def found_by(part: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The conditions where a term is found by a part of it, if the index of trigrams has that, and looked at whole."""
    if "search" not in names or not HAS_TRIGRAMS.search(pattern(part)):
        return names
    return (*(name for name in names if name != "search"), "search everyone", PART)


def pattern(term: str) -> str:
    """The LIKE pattern of texts that contain the term; of one or two letters, of those with a word that begins so.

    Two letters stand almost anywhere, and no index of trigrams finds them there. In scripts without blanks much is said
    in two letters, and there they are looked for anywhere all the same.
    """
    literal = term.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"% {literal}%" if len(term) <= 2 and term.isalnum() and ord(max(term)) < FIRST_WIDE else f"%{literal}%"


_of_status: Final[dict[str, Callable[[Columns], ColumnElement[bool]]]] = {
    SUSPENDED: lambda users: users["suspended"],
    LOCKED: lambda users: users["locked_until"].is_not(None),
    UNVERIFIED: lambda users: ~users["email_verified"],
}


def _only(*statuses: str) -> Callable[[Columns], ColumnElement[bool]]:
    """Says once more what statuses without `active` imply, in the words of the indexes of those few rows."""
    return lambda users: or_(*(_of_status[status](users) for status in statuses))


_moment: Final = DateTime(timezone=True)
_texts: Final = ARRAY(Text)

CONDITIONS: Final[dict[str, Callable[[Columns], ColumnElement[bool]]]] = {
    "statuses": lambda users: users["status"] == any_(given("statuses", _texts)),
    "roles": lambda users: users["roles"].op("&&", is_comparison=True)(given("roles", _texts)) & (func.cardinality(users["roles"]) > 0),
    "verified": lambda users: users["email_verified"],
    "unverified": lambda users: ~users["email_verified"],
    "created_from": lambda users: users["registered_at"] >= given("created_from", _moment),
    "created_to": lambda users: users["registered_at"] < given("created_to", _moment),
    "seen_from": lambda users: users["last_seen_at"] >= given("seen_from", _moment),
    "seen_to": lambda users: users["last_seen_at"] < given("seen_to", _moment),
    "search": lambda users: users["sought"].like(given("search", Text)),
    PART: lambda users: users["sought"].like(given(PART, Text)),
    # An expression that no index has: one of trigrams would be read as a whole, and everyone after it.
    "search everyone": lambda users: users["sought"].concat("").like(given("search", Text)),
} | {
    f"only {' or '.join(statuses)}": _only(*statuses)
    for statuses in (
        (LOCKED,), (SUSPENDED,), (UNVERIFIED,),
        (LOCKED, SUSPENDED), (LOCKED, UNVERIFIED), (SUSPENDED, UNVERIFIED), (LOCKED, SUSPENDED, UNVERIFIED),
    )
}  # fmt: skip
"""Each filter as a clause."""


class Place(Struct, frozen=True):
    """Where a page ended: a user, and what the list was sorted by of them; neither `at` nor `name` where they have none."""

    id: UUID
    at: datetime | None = None
    name: str | None = None


class Sort(Struct, frozen=True):
    """The order of a list: by a column, and by id among equals. Those who have nothing in it come last in both directions.

    `ranges` are the filters on the same column.
    """

    column: str
    descending: bool = False
    type: Any = _moment
    nullable: bool = True
    ranges: tuple[str, ...] = ()

    @property
    def by_name(self) -> bool:
        """Whether the column is one of the names."""
        return self.column == "name"

    def place(self, row: Mapping[str, Any]) -> Place:
        """The place of a row that has the column as `sorted_by`."""
        value = row["sorted_by"]
        return Place(row["id"], name=value) if self.by_name else Place(row["id"], at=value)

    def value(self, place: Place) -> datetime | str | None:
        """What the list is sorted by of whom it goes on after."""
        return place.name if self.by_name else place.at


def _both_ways(name: str, **said: Any) -> dict[str, Sort]:
    return {name: Sort(**said), f"-{name}": Sort(**said, descending=True)}


SORTS: Final[dict[str, Sort]] = {
    **_both_ways("created", column="registered_at", nullable=False, ranges=("created_from", "created_to")),
    **_both_ways("last_seen", column="last_seen_at", ranges=("seen_from", "seen_to")),
    **_both_ways("name", column="name", type=Text()),
}
NEWEST_FIRST: Final = "-created"
