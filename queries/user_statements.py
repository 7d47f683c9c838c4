"""The statements of lists of users, each made once for the tables that it asks, and remembered."""

from functools import lru_cache
from typing import Any, Final, NamedTuple

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
from projections.read_model import ReadModel
from projections.user_names import USER_NAMES
from projections.users import USERS
from queries.user_filters import CONDITIONS, Columns, Sort
from queries.users import MOST_USERS, UserView, checkpoints

__all__ = [
    "REACHED",
    "VIEWS",
    "Part",
    "Views",
    "counted",
    "gathered",
    "is_searched",
    "is_straight",
    "place",
    "straight",
    "walked",
]


class Views(NamedTuple):
    """The read models that lists are made from, each on the table that is asked; statements are made for the two."""

    users: ReadModel[Any] = USERS
    names: ReadModel[Any] = USER_NAMES


VIEWS: Final = Views()


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


REACHED: Final = Statement(
    select(func.min(checkpoints.c.position)).where(checkpoints.c.consumer == any_(given("consumers", ARRAY(Text))))
)
"""The least position that any partition of these consumers has reached."""


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
    return [*(columns[name] for name in UserView.__struct_fields__), columns[sort.column].label("sorted_by")]


def _way(table: Any, sort: Sort, part: Part, names: tuple[str, ...], rows: int) -> Any:
    """So many rows along the index of the order, with what that index itself can tell apart."""
    columns = dict(table.columns)
    ranges = [CONDITIONS[name](columns) for name in names if name in sort.ranges]
    walked = select(table).where(*ranges, *_beyond(sort, part, columns)).order_by(*_order(sort, part, columns))
    return walked.limit(literal_column(str(rows))).subquery("way")


@lru_cache(maxsize=64)
def straight(views: Views, sort: Sort, names: tuple[str, ...], placed: bool) -> Statement:
    """A page that its index alone has in order, with the view's least checkpoint, of one moment; a row of nulls for none."""
    part = Part(None, placed)
    way = _way(views.users.table, sort, part, names, MOST_USERS + 1)
    rows = select(*_shown(sort, dict(way.columns))).limit(given("limit", Integer)).subquery("page")
    reached = (
        select(func.min(checkpoints.c.position).label("reached"))
        .where(checkpoints.c.consumer == views.users.consumer)
        .subquery("stands")
    )
    asked = select(reached, rows).select_from(reached.outerjoin(rows, true()))
    columns = dict(rows.columns) | {sort.column: rows.columns["sorted_by"]}
    return Statement(asked.order_by(*_order(sort, part, columns)))


@lru_cache(maxsize=256)
def walked(views: Views, sort: Sort, part: Part, names: tuple[str, ...], rows: int) -> Statement:
    """The first of a part that are found within so many rows of its order."""
    searched = is_searched(names)
    begun, other = views.users.table, views.names.table
    if sort.by_name or (searched and sort.column in other.columns):
        begun, other = other, begun
    way = _way(begun, sort, part, names, rows)
    source, columns = way, dict(way.columns)
    if searched or sort.by_name:
        # One by one, and not as a set that is found by an index of the other table: the way is short.
        beside = select(other).where(other.columns.id == way.columns.id).offset(literal_column("0")).lateral("beside")
        source, columns = way.join(beside, true()), dict(beside.columns) | columns
    asked = select(*_shown(sort, columns)).select_from(source)
    asked = asked.where(*(CONDITIONS[name](columns) for name in names if name not in sort.ranges))
    return Statement(asked.order_by(*_order(sort, part, columns)).limit(given("limit", Integer)))


@lru_cache(maxsize=256)
def gathered(views: Views, sort: Sort, part: Part, names: tuple[str, ...]) -> Statement:
    """The first of a part, when all of it was found; by whatever indexes are best for that, but not along its order."""
    source, columns = _everything(views, names, names_too=sort.by_name)
    found = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    found = found.where(*(CONDITIONS[name](columns) for name in names), *_beyond(sort, part, columns))
    gathered = found.cte("found").prefix_with("MATERIALIZED")
    keys = {"id": gathered.c.id, sort.column: gathered.c.sorted_by}
    first = select(gathered).order_by(*_order(sort, part, keys)).limit(given("limit", Integer)).subquery("first")
    shown = [views.users.table.columns[name] for name in UserView.__struct_fields__]
    asked = select(*shown, first.c.sorted_by).select_from(
        first.join(views.users.table, views.users.table.columns.id == first.c.id)
    )
    return Statement(asked.order_by(*_order(sort, part, {"id": first.c.id, sort.column: first.c.sorted_by})))


@lru_cache(maxsize=64)
def counted(views: Views, names: tuple[str, ...]) -> Statement:
    """How many there are for whom the conditions hold."""
    source, columns = _everything(views, names, names_too=False)
    return Statement(select(func.count()).select_from(source).where(*(CONDITIONS[name](columns) for name in names)))


def _everything(views: Views, names: tuple[str, ...], *, names_too: bool) -> tuple[Any, dict[str, Any]]:
    """All users, with their names where these are asked about; who is not in both views yet is in neither."""
    if not names_too and not is_searched(names):
        return views.users.table, dict(views.users.table.columns)
    joined = views.users.table.join(views.names.table, views.users.table.columns.id == views.names.table.columns.id)
    return joined, {**views.users.table.columns, **views.names.table.columns}


@lru_cache
def place(views: Views, sort: Sort) -> Statement:
    """What a list is sorted by of one user."""
    source, columns = _everything(views, (), names_too=sort.by_name)
    chosen: Select[Any] = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    return Statement(chosen.where(columns["id"] == given("user_id", Uuid)))
