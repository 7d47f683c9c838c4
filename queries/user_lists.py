"""Lists of users: filtered, sorted, a page at a time, and as quick among a million as among a few.

A list is first looked for along the index of its order, a bounded way: what many people have in common is found there
at once. What is not is rare, at least there; then all of it is found by the other indexes, and sorted.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from events.connections import Reading
from projections.positions import Replaced
from projections.serving import table_that_serves
from projections.user_names import USER_NAMES
from projections.users import USERS
from queries.seldom import seldom_part
from queries.user_filters import NEWEST_FIRST, PART, SORTS, Place, Sort, UserFilters, found_by, pattern
from queries.user_statements import (
    LEFT_OUT,
    REACHED,
    UNPARKED,
    ListTables,
    Part,
    counted,
    gathered,
    is_straight,
    place,
    sampled,
    straight,
    walked,
)
from queries.users import MOST_USERS, UserView, view_of

__all__ = ["ListTables", "UserPage", "place_of", "takes_names", "users"]

SHORT_WAY: Final = 500
LONG_WAY: Final = 8_000
"""Rows that are looked at along an order before the list is found otherwise, which costs as much per row that is found."""

PLANNED_FOR_WHAT_IS_ASKED: Final = (
    "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1; "
    "SET LOCAL statement_timeout = '20s'"
)
"""What is looked for is seldom, and pages come from memory or from disks that do not turn.

Nobody waits longer; a process that was killed cannot take back what it asked.
"""


class TakesLong(Exception):
    """The list is not found along the index of its order, and all of it has to be."""


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
    few: AbstractAsyncContextManager[object] | None = None,
) -> UserPage:
    """A page of the users for whom the filters hold, at most `limit` (and 200) of them.

    `sort` is a name in `SORTS`, `after` the `next` of a page of the same filters and sort. `tables` are those that
    serve; unless they are given, that is asked first. Raises `Replaced` where others do than those that were given, and
    `ViewBehind` where none serve yet.

    What has to find or count all for whom the filters hold is dear, and asked within `few`, before any connection is
    taken. Raises what that raises.
    """
    limit, order = max(1, min(limit, MOST_USERS)), SORTS[sort]
    if tables is None:
        found = await _serving(reading, names=takes_names(filters, sort))
        try:
            return await users(
                reading, filters, tables=found, sort=sort, after=after, limit=limit, count=count, few=few
            )
        except Replaced:
            return await users(reading, filters, sort=sort, after=after, limit=limit, count=count, few=few)
    values = filters.values() | {"limit": limit + 1, "consumers": tables.consumers} | _after(order, after)
    names = filters.conditions()
    if is_straight(order, names) and not order.nullable and not count:
        rows = await straight(tables, order, names, after is not None).fetch(reading, **values)
        if rows[0]["replaced"]:
            raise Replaced
        if not rows[0]["parked"]:
            return _page(order, [row for row in rows if row["id"] is not None], limit, rows[0]["reached"] or 0)
    if few is None:
        return await _page_of_moment(reading, tables, order, names, values, limit, after, count=count, dear=True)
    if not count:
        with suppress(TakesLong):
            return await _page_of_moment(reading, tables, order, names, values, limit, after, count=False, dear=False)
    async with few:
        return await _page_of_moment(reading, tables, order, names, values, limit, after, count=count, dear=True)


async def _page_of_moment(
    reading: Reading,
    tables: ListTables,
    order: Sort,
    names: tuple[str, ...],
    values: dict[str, Any],
    limit: int,
    after: Place | None,
    *,
    count: bool,
    dear: bool,
) -> UserPage:
    """A page that takes several questions. Raises `TakesLong` where one of them is dear, unless that is meant."""
    async with _one_moment(reading) as connection:
        reached, parked, replaced = await connection.fetchrow(REACHED.sql, tables.consumers)
        if replaced:
            raise Replaced
        left_out = 0
        if parked:
            left_out = await connection.fetchval(LEFT_OUT.sql, tables.consumers)
            names = (*names, UNPARKED)
        total = (await counted(tables, names).fetch(connection, **values))[0][0] if count else None
        rows: list[asyncpg.Record] = []
        for part in _parts(order, names, after):
            asked = values | {"limit": limit + 1 - len(rows)}
            rows += await _found(connection, tables, order, part, names, asked, dear=dear)
            if len(rows) > limit:
                break
        return _page(order, rows, limit, reached or 0, total, left_out)


async def _serving(reading: Reading, *, names: bool) -> ListTables:
    found = await table_that_serves(reading, USERS)
    return ListTables(found, await table_that_serves(reading, USER_NAMES) if names else None)


async def place_of(reading: Reading, user_id: UUID, sort: str) -> Place | None:
    """Where a user stands in lists of this order; None when the views do not have them. Raises `ViewBehind` as `users` does."""
    order = SORTS[sort]
    tables = await _serving(reading, names=order.by_name)
    row = await place(tables, order).fetchrow(reading, user_id=user_id)
    return None if row is None else order.place(row)


def _page(
    sort: Sort, rows: list[asyncpg.Record], limit: int, reached: int, count: int | None = None, left_out: int = 0
) -> UserPage:
    items = [view_of(row) for row in rows[:limit]]
    following = sort.place(rows[limit - 1]) if len(rows) > limit else None
    return UserPage(items, following, reached, count, left_out)


def _after(sort: Sort, after: Place | None) -> dict[str, Any]:
    return {} if after is None else {"after": after.id, "after_value": sort.value(after)}


def _parts(sort: Sort, names: tuple[str, ...], after: Place | None) -> list[Part]:
    """What is still to come of a list, in order."""
    if not sort.nullable:
        return [Part(None, after is not None)]
    if after is not None and sort.value(after) is None:
        return [Part(valued=False, placed=True)]
    valued = Part(valued=True, placed=after is not None)
    return [valued] if set(names) & set(sort.ranges) else [valued, Part(valued=False, placed=False)]


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
    part: Part,
    names: tuple[str, ...],
    values: dict[str, Any],
    *,
    dear: bool,
) -> list[asyncpg.Record]:
    """The first rows of a part, at most `limit`. Raises `TakesLong` where all of it has to be found, unless that is meant."""
    limit: int = values["limit"]
    for way in (SHORT_WAY, LONG_WAY):
        rows = await walked(tables, sort, part, names, way).fetch(connection, **values)
        if len(rows) >= limit or is_straight(sort, names):
            return rows
        if len(rows) * LONG_WAY < limit * SHORT_WAY:
            break
    if not dear:
        raise TakesLong
    if "search" in names:
        texts = [row["sought"] for row in await sampled(tables).fetch(connection)]
        seldom = seldom_part(values["term"], texts)
        if seldom != values["term"]:
            names, values = found_by(seldom, names), values | {PART: pattern(seldom)}
    return await gathered(tables, sort, part, names).fetch(connection, **values)
