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
from projections.positions import ViewBehind
from projections.serving import PerTable, serving_table
from projections.user_names import USER_NAMES
from projections.users import USERS
from queries.user_filters import CONDITIONS, NEWEST_FIRST, SORTS, Columns, Place, Sort, UserFilters
from queries.users import MOST_USERS, UserView, checkpoints, is_parked, parked_events, view_of

__all__ = ["ListTables", "UserPage", "place_of", "takes_names", "users"]

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
    `count` is how many there are on all pages, when it was asked for. `left_out` are the users, whatever is filtered, who
    are on no page, because a view does not know how they are now.
    """

    items: list[UserView]
    next: Place | None
    position: int
    count: int | None = None
    left_out: int = 0


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
UNPARKED: Final = "unparked"


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
    tables: ListTables | None = None,
    sort: str = NEWEST_FIRST,
    after: Place | None = None,
    limit: int = 50,
    count: bool = False,
) -> UserPage:
    """A page of the users for whom the filters hold, at most `limit` (and 200) of them.

    `sort` is a name in `SORTS`, `after` the `next` of a page of the same filters and sort. `tables` are those that
    serve; unless they are given, that is asked first. Raises `ViewBehind` where none serve yet.
    """
    limit, order = max(1, min(limit, MOST_USERS)), SORTS[sort]
    if tables is None:
        tables = await _serving(reading, names=takes_names(filters, sort))
    values = filters.values() | {"limit": limit + 1, "consumers": tables.consumers} | _after(order, after)
    names = filters.conditions()
    if _is_straight(order, names) and not order.nullable and not count:
        rows = await _straight(tables, order, names, after is not None).fetch(reading, **values)
        if not rows[0]["parked"]:
            return _page(order, [row for row in rows if row["id"] is not None], limit, rows[0]["reached"] or 0)
    async with _one_moment(reading) as connection:
        reached, parked = await connection.fetchrow(_reached.sql, tables.consumers)
        left_out = 0
        if parked:
            left_out = await connection.fetchval(_left_out.sql, tables.consumers)
            names = (*names, UNPARKED)
        total = await connection.fetchval(*_counting(tables, names, values)) if count else None
        rows = []
        for part in _parts(order, names, after):
            asked = values | {"limit": limit + 1 - len(rows)}
            rows += await _found(connection, tables, order, part, names, asked)
            if len(rows) > limit:
                break
        return _page(order, rows, limit, reached or 0, total, left_out)


async def _serving(reading: Reading, *, names: bool) -> ListTables:
    found = await serving_table(reading, USERS)
    found_names = await serving_table(reading, USER_NAMES) if names else None
    if found is None or (names and found_names is None):
        raise ViewBehind.being_built()
    return ListTables(found, found_names)


async def place_of(reading: Reading, user_id: UUID, sort: str) -> Place | None:
    """Where a user stands in lists of this order; None when the views do not have them. Raises `ViewBehind` as `users` does."""
    order = SORTS[sort]
    tables = await _serving(reading, names=order.by_name)
    row = await _place(tables, order).fetchrow(reading, user_id=user_id)
    return None if row is None else order.place(row)


def _page(
    sort: Sort, rows: list[asyncpg.Record], limit: int, reached: int, count: int | None = None, left_out: int = 0
) -> UserPage:
    items = [view_of(row) for row in rows[:limit]]
    following = sort.place(rows[limit - 1]) if len(rows) > limit else None
    return UserPage(items, following, reached, count, left_out)


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
    connection: asyncpg.Connection,
    tables: ListTables,
    sort: Sort,
    part: _Part,
    names: tuple[str, ...],
    values: dict[str, Any],
) -> list[asyncpg.Record]:
    """The first rows of a part, at most `limit`."""
    limit: int = values["limit"]
    for way in (SHORT_WAY, LONG_WAY):
        rows = await _walked(tables, sort, part, names, way).fetch(connection, **values)
        if len(rows) >= limit or _is_straight(sort, names):
            return rows
        if len(rows) * LONG_WAY < limit * SHORT_WAY:
            break
    return await _gathered(tables, sort, part, names).fetch(connection, **values)


def _is_straight(sort: Sort, names: tuple[str, ...]) -> bool:
    """Whether an index of the users alone has the list as it is."""
    return set(names) <= set(sort.ranges) and not sort.by_name


_consumers: Final = any_(given("consumers", ARRAY(Text)))
_reached: Final = Statement(
    select(func.min(checkpoints.c.position), func.sum(checkpoints.c.parked)).where(checkpoints.c.consumer == _consumers)
)
_left_out: Final = Statement(
    select(func.count(func.distinct(parked_events.c.key))).where(parked_events.c.consumer == _consumers)
)


def _clauses(names: tuple[str, ...], columns: Columns) -> list[ColumnElement[bool]]:
    """What the conditions of these names say of the columns."""
    return [~is_parked(_consumers, columns["id"]) if name == UNPARKED else CONDITIONS[name](columns) for name in names]


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
    """What a row of a page is made of; the fields that are shown stand last."""
    return [columns[sort.column].label("sorted_by"), *(columns[name] for name in UserView.__struct_fields__)]


def _way(table: Any, sort: Sort, part: _Part, names: tuple[str, ...], rows: int) -> Any:
    """So many rows along the index of the order, with what that index itself can tell apart."""
    columns = dict(table.columns)
    ranges = _clauses(tuple(name for name in names if name in sort.ranges), columns)
    walked = select(table).where(*ranges, *_beyond(sort, part, columns)).order_by(*_order(sort, part, columns))
    return walked.limit(literal_column(str(rows))).subquery("way")


@lru_cache(maxsize=64)
def _straight(tables: ListTables, sort: Sort, names: tuple[str, ...], placed: bool) -> Statement:
    """A page that its index alone has in order, with the view's least checkpoint, of one moment; a row of nulls for none."""
    part = _Part(None, placed)
    way = _way(tables.of_users, sort, part, names, MOST_USERS + 1)
    rows = select(*_shown(sort, dict(way.columns))).limit(given("limit", Integer)).subquery("page")
    reached = (
        select(func.min(checkpoints.c.position).label("reached"), func.sum(checkpoints.c.parked).label("parked"))
        .where(checkpoints.c.consumer == tables.users)
        .subquery("stands")
    )
    asked = select(reached, rows).select_from(reached.outerjoin(rows, true()))
    columns = dict(rows.columns) | {sort.column: rows.columns["sorted_by"]}
    return Statement(asked.order_by(*_order(sort, part, columns)))


@lru_cache(maxsize=256)
def _walked(tables: ListTables, sort: Sort, part: _Part, names: tuple[str, ...], rows: int) -> Statement:
    """The first of a part that are found within so many rows of its order."""
    searched = "search" in names
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


@lru_cache(maxsize=256)
def _gathered(tables: ListTables, sort: Sort, part: _Part, names: tuple[str, ...]) -> Statement:
    """The first of a part, when all of it was found; by whatever indexes are best for that, but not along its order."""
    source, columns = _everything(tables, names, names_too=sort.by_name)
    found = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    found = found.where(*_clauses(names, columns), *_beyond(sort, part, columns))
    gathered = found.cte("found").prefix_with("MATERIALIZED")
    keys = {"id": gathered.c.id, sort.column: gathered.c.sorted_by}
    first = select(gathered).order_by(*_order(sort, part, keys)).limit(given("limit", Integer)).subquery("first")
    users_table = tables.of_users
    shown = [users_table.columns[name] for name in UserView.__struct_fields__]
    asked = select(first.c.sorted_by, *shown).select_from(first.join(users_table, users_table.columns.id == first.c.id))
    return Statement(asked.order_by(*_order(sort, part, {"id": first.c.id, sort.column: first.c.sorted_by})))


@lru_cache(maxsize=64)
def _counted(tables: ListTables, names: tuple[str, ...]) -> Statement:
    source, columns = _everything(tables, names, names_too=False)
    return Statement(select(func.count()).select_from(source).where(*_clauses(names, columns)))


def _counting(tables: ListTables, names: tuple[str, ...], values: dict[str, Any]) -> tuple[Any, ...]:
    statement = _counted(tables, names)
    return statement.sql, *statement.arguments(values)


def _everything(tables: ListTables, names: tuple[str, ...], *, names_too: bool) -> tuple[Any, dict[str, Any]]:
    """All users, with their names where these are asked about; who is not in both views yet is in neither."""
    users_table = tables.of_users
    if not names_too and "search" not in names:
        return users_table, dict(users_table.columns)
    names_table = tables.of_names
    joined = users_table.join(names_table, users_table.columns.id == names_table.columns.id)
    return joined, {**users_table.columns, **names_table.columns}


@lru_cache
def _place(tables: ListTables, sort: Sort) -> Statement:
    source, columns = _everything(tables, (), names_too=sort.by_name)
    chosen: Select[Any] = select(columns["id"], columns[sort.column].label("sorted_by")).select_from(source)
    return Statement(chosen.where(columns["id"] == given("user_id", Uuid)))
