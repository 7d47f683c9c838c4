"""Lists of users: filtered, sorted, a page at a time, and as quick among a million as among a few.

A list is first looked for along the index of its order, a bounded way: what many people have in common is found there
at once. What is not is rare, at least there; then all of it is found by the other indexes, and sorted.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import asyncpg
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

from events.connections import Reading
from projections.database import Statement, given
from projections.user_names import USER_NAMES
from projections.users import USERS
from queries.user_filters import CONDITIONS, NEWEST_FIRST, SORTS, Columns, Place, Sort, UserFilters
from queries.users import MOST_USERS, UserView, checkpoints, values_of

__all__ = ["UserPage", "place_of", "takes_names", "users"]

SHORT_WAY: Final = 500
LONG_WAY: Final = 8_000
"""Rows that are looked at along an order before the list is found otherwise, which costs as much per row that is found."""

PLANNED_FOR_WHAT_IS_ASKED: Final = (
    "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1"
)
"""What is looked for is seldom, and pages come from memory or from disks that do not turn."""


class UserPage(Struct, frozen=True):
    """Users in the order of the list; `next` is the place to go on after, None at the end.

    `position` is reflected by the whole page: the least that any partition of a view has reached that it is made from.
    `count` is how many there are on all pages, when it was asked for.
    """

    items: list[UserView]
    next: Place | None
    position: int
    count: int | None = None


class _Part(Struct, frozen=True):
    """A part of a list that one index has in its order: those with a value to sort by, those with none, or everyone."""

    valued: bool | None
    placed: bool


def takes_names(filters: UserFilters, sort: str) -> bool:
    """Whether a list is made from `user_names` as well."""
    return SORTS[sort].by_name or filters.search is not None


async def users(
    reading: Reading,
    filters: UserFilters = UserFilters(),  # noqa: B008 - it is frozen
    *,
    sort: str = NEWEST_FIRST,
    after: Place | None = None,
    limit: int = 50,
    count: bool = False,
) -> UserPage:
    """A page of the users for whom the filters hold, at most `limit` (and 200) of them.

    `sort` is a name in `SORTS`, `after` the `next` of a page of the same filters and sort.
    """
    limit, order = max(1, min(limit, MOST_USERS)), SORTS[sort]
    values = filters.values() | {"limit": limit + 1} | _after(order, after)
    names = filters.conditions()
    try:
        if _is_straight(order, names) and not order.nullable and not count:
            rows = await _straight(order, names, after is not None).fetch(reading, **values)
            return _page(order, [row for row in rows if row["id"] is not None], limit, rows[0]["reached"], None)
        async with _one_moment(reading) as connection:
            consumers = [USERS.consumer, *([USER_NAMES.consumer] if takes_names(filters, sort) else [])]
            reached = await connection.fetchval(_reached.sql, consumers)
            total = await connection.fetchval(*_counting(names, values)) if count else None
            rows = []
            for part in _parts(order, names, after):
                rows += await _found(connection, order, part, names, values | {"limit": limit + 1 - len(rows)})
                if len(rows) > limit:
                    break
            return _page(order, rows, limit, reached, total)
    except asyncpg.UndefinedTableError:  # no worker has made the view yet
        return UserPage([], None, 0, 0 if count else None)


async def place_of(reading: Reading, user_id: UUID, sort: str) -> Place | None:
    """Where a user stands in lists of this order; None when the views do not have them."""
    row = await _place(SORTS[sort]).fetchrow(reading, user_id=user_id)
    return None if row is None else SORTS[sort].place(row)


def _page(sort: Sort, rows: list[asyncpg.Record], limit: int, reached: int | None, count: int | None) -> UserPage:
    items = [UserView(**values_of(row, "reached", "sorted_by")) for row in rows[:limit]]
    following = sort.place(rows[limit - 1]) if len(rows) > limit else None
    return UserPage(items, following, reached or 0, count)


def _after(sort: Sort, after: Place | None) -> dict[str, Any]:
    return {} if after is None else {"after": after.id, "after_value": sort.value(after)}


def _parts(sort: Sort, names: tuple[str, ...], after: Place | None) -> list[_Part]:
    """What is still to come of a list, in order."""
    if not sort.nullable:
        return [_Part(None, after is not None)]
    if after is not None and sort.value(after) is None:
        return [_Part(valued=False, placed=True)]
    valued = _Part(valued=True, placed=after is not None)
    return [valued] if set(names) & set(sort.ranges) else [valued, _Part(valued=False, placed=False)]


@asynccontextmanager
async def _one_moment(reading: Reading) -> AsyncIterator[asyncpg.Connection]:
    """A connection on which all questions are answered as of one moment, each planned for the values that it is asked with."""
    if isinstance(reading, asyncpg.Pool):
        async with reading.acquire() as connection, _one_moment(connection) as moment:
            yield moment
        return
    async with reading.transaction(isolation="repeatable_read", readonly=True):
        await reading.execute(PLANNED_FOR_WHAT_IS_ASKED)
        yield reading


async def _found(
    connection: asyncpg.Connection, sort: Sort, part: _Part, names: tuple[str, ...], values: dict[str, Any]
) -> list[asyncpg.Record]:
    """The first rows of a part, at most `limit`."""
    limit: int = values["limit"]
    for way in (SHORT_WAY, LONG_WAY):
        rows = await _walked(sort, part, names, way).fetch(connection, **values)
        if len(rows) >= limit or _is_straight(sort, names):
            return rows
        if len(rows) * LONG_WAY < limit * SHORT_WAY:
            break
    return await _gathered(sort, part, names).fetch(connection, **values)


def _is_straight(sort: Sort, names: tuple[str, ...]) -> bool:
    """Whether an index of the users alone has the list as it is."""
    return set(names) <= set(sort.ranges) and not sort.by_name


_reached: Final = Statement(
    select(func.min(checkpoints.c.position)).where(checkpoints.c.consumer == any_(given("consumers", ARRAY(Text))))
)


def _order(sort: Sort, part: _Part, columns: Columns) -> list[ColumnElement[Any]]:
    keys = [columns["id"]] if part.valued is False else [columns[sort.column], columns["id"]]
    return [key.desc() for key in keys] if sort.descending else keys


def _beyond(sort: Sort, part: _Part, columns: Columns) -> list[ColumnElement[bool]]:
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


def _way(table: Any, sort: Sort, part: _Part, names: tuple[str, ...], rows: int) -> Any:
    """So many rows along the index of the order, with what that index itself can tell apart."""
    columns = dict(table.columns)
    ranges = [CONDITIONS[name](columns) for name in names if name in sort.ranges]
    walked = select(table).where(*ranges, *_beyond(sort, part, columns)).order_by(*_order(sort, part, columns))
    return walked.limit(literal_column(str(rows))).subquery("way")


@lru_cache(maxsize=64)
def _straight(sort: Sort, names: tuple[str, ...], placed: bool) -> Statement:
    """A page that its index alone has in order, with the view's least checkpoint, of one moment; a row of nulls for none."""
    part = _Part(None, placed)
    way = _way(USERS.table, sort, part, names, MOST_USERS + 1)
    rows = select(*_shown(sort, dict(way.columns))).limit(given("limit", Integer)).subquery("page")
    reached = (
        select(func.min(checkpoints.c.position).label("reached"))
        .where(checkpoints.c.consumer == USERS.consumer)
        .subquery("stands")
    )
    asked = select(reached, rows).select_from(reached.outerjoin(rows, true()))
    columns = dict(rows.columns) | {sort.column: rows.columns["sorted_by"]}
    return Statement(asked.order_by(*_order(sort, part, columns)))


@lru_cache(maxsize=256)
def _walked(sort: Sort, part: _Part, names: tuple[str, ...], rows: int) -> Statement:
    """The first of a part that are found within so many rows of its order."""
    searched = "search" in names
    begun, other = USERS.table, USER_NAMES.table
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
def _gathered(sort: Sort, part: _Part, names: tuple[str, ...]) -> Statement:
    """The first of a part, when all of it was found; by whatever indexes are best for that, but not along its order."""
    source, columns = _everything(names, names_too=sort.by_name)
    found = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    found = found.where(*(CONDITIONS[name](columns) for name in names), *_beyond(sort, part, columns))
    gathered = found.cte("found").prefix_with("MATERIALIZED")
    keys = {"id": gathered.c.id, sort.column: gathered.c.sorted_by}
    first = select(gathered).order_by(*_order(sort, part, keys)).limit(given("limit", Integer)).subquery("first")
    shown = [USERS.table.columns[name] for name in UserView.__struct_fields__]
    asked = select(*shown, first.c.sorted_by).select_from(first.join(USERS.table, USERS.table.columns.id == first.c.id))
    return Statement(asked.order_by(*_order(sort, part, {"id": first.c.id, sort.column: first.c.sorted_by})))


@lru_cache(maxsize=64)
def _counted(names: tuple[str, ...]) -> Statement:
    source, columns = _everything(names, names_too=False)
    return Statement(select(func.count()).select_from(source).where(*(CONDITIONS[name](columns) for name in names)))


def _counting(names: tuple[str, ...], values: dict[str, Any]) -> tuple[Any, ...]:
    statement = _counted(names)
    return statement.sql, *statement.arguments(values)


def _everything(names: tuple[str, ...], *, names_too: bool) -> tuple[Any, dict[str, Any]]:
    """All users, with their names where these are asked about; who is not in both views yet is in neither."""
    if not names_too and "search" not in names:
        return USERS.table, dict(USERS.table.columns)
    joined = USERS.table.join(USER_NAMES.table, USERS.table.columns.id == USER_NAMES.table.columns.id)
    return joined, {**USERS.table.columns, **USER_NAMES.table.columns}


@lru_cache
def _place(sort: Sort) -> Statement:
    source, columns = _everything((), names_too=sort.by_name)
    chosen: Select[Any] = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    return Statement(chosen.where(columns["id"] == given("user_id", Uuid)))
