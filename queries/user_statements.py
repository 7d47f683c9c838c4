"""The statements by which lists of users are found, made for the tables that serve, and each of them once."""

from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

from projections.database import Statement, given
from projections.serving import PerTable
from projections.user_names import USER_NAMES
from projections.users import USERS
from queries.seldom import SAMPLE
from queries.user_filters import CONDITIONS, Columns, Sort
from queries.users import MOST_USERS, UserView, checkpoints, is_parked, parked_events

__all__ = [
    "LEFT_OUT",
    "REACHED",
    "UNPARKED",
    "ListTables",
    "Part",
    "counted",
    "gathered",
    "is_searched",
    "is_straight",
    "place",
    "sampled",
    "straight",
    "walked",
]

UNPARKED: Final = "unparked"
"""The condition that leaves out of whom a view does not know how they are now."""


class ListTables(Struct, frozen=True):
    """The tables that serve: of the users and, where a list is made from them as well, of their names."""

    users: str
    names: str | None = None

    @property
    def of_users(self) -> Any:
        """The table of users."""
        return _users_on[self.users].table

    @property
    def of_names(self) -> Any:
        """The table of their names."""
        assert self.names is not None, "a list that is made from names is given their table"
        return _names_on[self.names].table

    @property
    def consumers(self) -> list[str]:
        """The names of both, as checkpoints have them."""
        return [self.users] if self.names is None else [self.users, self.names]


_users_on: Final = PerTable(USERS, lambda model: model)
_names_on: Final = PerTable(USER_NAMES, lambda model: model)


class Part(Struct, frozen=True):
    """A part of a list that one index has in its order: those with a value to sort by, those with none, or everyone."""

    valued: bool | None
    placed: bool


def is_searched(names: tuple[str, ...]) -> bool:
    """Whether it is asked for a text."""
    return "search" in names or "search everyone" in names


def is_straight(sort: Sort, names: tuple[str, ...]) -> bool:
    """Whether an index of the users alone has the list as it is."""
    return set(names) <= set(sort.ranges) and not sort.by_name


REPLACED: Final = func.bool_or(checkpoints.c.follows.is_not(None)).label("replaced")
_consumers: Final = any_(given("consumers", ARRAY(Text)))
REACHED: Final = Statement(
    select(func.min(checkpoints.c.position), func.sum(checkpoints.c.parked), REPLACED).where(
        checkpoints.c.consumer == _consumers
    )
)
LEFT_OUT: Final = Statement(
    select(func.count(func.distinct(parked_events.c.key))).where(parked_events.c.consumer == _consumers)
)


def _clauses(names: tuple[str, ...], columns: Columns) -> list[ColumnElement[bool]]:
    """What the conditions of these names say of the columns."""
    return [~is_parked(_consumers, columns["id"]) if name == UNPARKED else CONDITIONS[name](columns) for name in names]


def _order(sort: Sort, part: Part, columns: Columns) -> list[ColumnElement[Any]]:
    keys = [columns["id"]] if part.valued is False else [columns[sort.column], columns["id"]]
    return [key.desc() for key in keys] if sort.descending else keys


def _beyond(sort: Sort, part: Part, columns: Columns) -> list[ColumnElement[bool]]:
    """The clauses of a part, and of its place, which an index on the column and id takes as they are."""
    clauses: list[ColumnElement[bool]] = []
    if part.valued is not None:
        column = columns[sort.column]
        clauses.append(column.is_not(None) if part.valued else column.is_(None))
    if part.placed:
        user_id = given("after", Uuid)
        here, there = (
            (columns["id"], user_id)
            if part.valued is False
            else (tuple_(columns[sort.column], columns["id"]), tuple_(given("after_value", sort.type), user_id))
        )
        clauses.append(here < there if sort.descending else here > there)
    return clauses


def _shown(sort: Sort, columns: Columns) -> list[ColumnElement[Any]]:
    """What a row of a page is made of; the fields that are shown stand last."""
    return [columns[sort.column].label("sorted_by"), *(columns[name] for name in UserView.__struct_fields__)]


def _way(table: Any, sort: Sort, part: Part, names: tuple[str, ...], rows: int) -> Any:
    """So many rows along the index of the order, with what that index itself can tell apart."""
    columns = dict(table.columns)
    ranges = _clauses(tuple(name for name in names if name in sort.ranges), columns)
    walked = select(table).where(*ranges, *_beyond(sort, part, columns)).order_by(*_order(sort, part, columns))
    return walked.limit(literal_column(str(rows))).subquery("way")


@lru_cache(maxsize=64)
def straight(tables: ListTables, sort: Sort, names: tuple[str, ...], placed: bool) -> Statement:
    """A page that its index alone has in order, with the view's least checkpoint, of one moment; a row of nulls for none."""
    part = Part(None, placed)
    way = _way(tables.of_users, sort, part, names, MOST_USERS + 1)
    rows = select(*_shown(sort, dict(way.columns))).limit(given("limit", Integer)).subquery("page")
    reached = (
        select(
            func.min(checkpoints.c.position).label("reached"), func.sum(checkpoints.c.parked).label("parked"), REPLACED
        )
        .where(checkpoints.c.consumer == tables.users)
        .subquery("stands")
    )
    asked = select(reached, rows).select_from(reached.outerjoin(rows, true()))
    columns = dict(rows.columns) | {sort.column: rows.columns["sorted_by"]}
    return Statement(asked.order_by(*_order(sort, part, columns)))


@lru_cache(maxsize=256)
def walked(tables: ListTables, sort: Sort, part: Part, names: tuple[str, ...], rows: int) -> Statement:
    """The first of a part that are found within so many rows of its order."""
    searched = is_searched(names)
    of_both = searched or sort.by_name
    begun = tables.of_users
    other: Any = tables.of_names if of_both else None
    if sort.by_name or (searched and sort.column in other.columns):
        begun, other = other, begun
    way = _way(begun, sort, part, names, rows)
    source, columns = way, dict(way.columns)
    if of_both:
        # One by one, and not as a set that is found by an index of the other table: the way is short.
        beside = select(other).where(other.columns.id == way.columns.id).offset(literal_column("0")).lateral("beside")
        source, columns = way.join(beside, true()), dict(beside.columns) | columns
    asked = select(*_shown(sort, columns)).select_from(source)
    asked = asked.where(*_clauses(tuple(name for name in names if name not in sort.ranges), columns))
    return Statement(asked.order_by(*_order(sort, part, columns)).limit(given("limit", Integer)))


@lru_cache
def sampled(tables: ListTables) -> Statement:
    """The newest texts that are searched."""
    names = tables.of_names.columns
    return Statement(
        select(names.sought).order_by(names.registered_at.desc(), names.id.desc()).limit(literal_column(str(SAMPLE)))
    )


@lru_cache(maxsize=256)
def gathered(tables: ListTables, sort: Sort, part: Part, names: tuple[str, ...]) -> Statement:
    """The first of a part, when all of it was found; by whatever indexes are best for that, but not along its order."""
    source, columns = _everything(tables, names, names_too=sort.by_name)
    found = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    found = found.where(*_clauses(names, columns), *_beyond(sort, part, columns))
    all_found = found.cte("found").prefix_with("MATERIALIZED")
    keys = {"id": all_found.c.id, sort.column: all_found.c.sorted_by}
    first = select(all_found).order_by(*_order(sort, part, keys)).limit(given("limit", Integer)).subquery("first")
    users_table = tables.of_users
    shown = [users_table.columns[name] for name in UserView.__struct_fields__]
    asked = select(first.c.sorted_by, *shown).select_from(first.join(users_table, users_table.columns.id == first.c.id))
    return Statement(asked.order_by(*_order(sort, part, {"id": first.c.id, sort.column: first.c.sorted_by})))


@lru_cache(maxsize=64)
def counted(tables: ListTables, names: tuple[str, ...]) -> Statement:
    """How many there are on all pages."""
    source, columns = _everything(tables, names, names_too=False)
    return Statement(select(func.count()).select_from(source).where(*_clauses(names, columns)))


def _everything(tables: ListTables, names: tuple[str, ...], *, names_too: bool) -> tuple[Any, dict[str, Any]]:
    """All users, with their names where these are asked about; who is not in both views yet is in neither."""
    users_table = tables.of_users
    if not names_too and not is_searched(names):
        return users_table, dict(users_table.columns)
    names_table = tables.of_names
    joined = users_table.join(names_table, users_table.columns.id == names_table.columns.id)
    return joined, {**users_table.columns, **names_table.columns}


@lru_cache
def place(tables: ListTables, sort: Sort) -> Statement:
    """What a list is sorted by of one user."""
    source, columns = _everything(tables, (), names_too=sort.by_name)
    chosen: Select[Any] = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    return Statement(chosen.where(columns["id"] == given("user_id", Uuid)))
