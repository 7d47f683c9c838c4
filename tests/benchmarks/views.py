"""Views as benchmarks find them in the database: which table serves, how far it is, and as if nothing had been projected."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from events.connections import connect
from projections.checkpoints import lock_key
from projections.serving import serving_table
from projections.users import USERS
from tests.support import Database

__all__ = ["caught_up", "emptied", "held", "projected_rate", "users_in_view"]

LOOKS_EVERY: Final = 0.01
TELLS_EVERY: Final = 10.0
PATIENCE_SECONDS: Final = 3600.0


async def _serving(connection: asyncpg.Connection) -> str:
    """The table in which users are looked up now."""
    table = await serving_table(connection, USERS)
    assert table is not None, "no worker has made the view of users"
    return table


async def users_in_view(database: Database) -> tuple[int, int]:
    """How many users the view has, and how many events they have had in their streams."""
    connection = await connect(database.owner_url, "views")
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(sum(version), 0)::bigint FROM views.{await _serving(connection)}"
    )
    await connection.close()
    return row[0], row[1]


async def emptied(database: Database) -> None:
    """Have nothing projected into the view of users, which a worker made before."""
    connection = await connect(database.url("projector"), "views")
    table = await _serving(connection)
    async with connection.transaction():
        await connection.execute(f"TRUNCATE views.{table}")
        await connection.execute("UPDATE checkpoints SET position = 0, replayed_to = 0 WHERE consumer = $1", table)
    await connection.close()


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Let no worker have a partition of the view of users, until what is given here is called."""
    connection = await connect(database.owner_url, "views")
    table = await _serving(connection)
    await connection.execute(
        "SELECT pg_advisory_lock($2, partition) FROM checkpoints WHERE consumer = $1", table, lock_key(table)
    )
    try:
        yield connection.close
    finally:
        await connection.close()


async def projected_rate(database: Database) -> float:
    """Events a second that come into the view of users, from the first step that is seen to the log's end.

    Its partitions have equal shares of the log, so that the mean of their positions tells how much is done.
    """
    connection = await connect(database.owner_url, "views")
    table = await _serving(connection)

    async def done() -> float:
        mean: float = await connection.fetchval(
            "SELECT avg(position)::float8 FROM checkpoints WHERE consumer = $1", table
        )
        return mean

    head: int = await connection.fetchval("SELECT max(notification_id) FROM stored_events")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (first := await done()):  # noqa: ASYNC110 - it comes about in another process
            await asyncio.sleep(LOOKS_EVERY)
        begun = time.perf_counter()
        while await done() < head:  # noqa: ASYNC110 - it comes about in another process
            await asyncio.sleep(LOOKS_EVERY)
        seconds = time.perf_counter() - begun
    await connection.close()
    return (head - first) / seconds


async def caught_up(
    database: Database, tell: Callable[[str], None] = lambda _line: None, patience: float = PATIENCE_SECONDS
) -> None:
    """Come back when all that workers keep serves and has come to the log's end; fails when that takes too long."""
    connection = await connect(database.owner_url, "views")
    begun = told = time.monotonic()
    while True:
        head, least, missing = await connection.fetchrow(
            "SELECT (SELECT max(notification_id) FROM stored_events), "
            "(SELECT coalesce(min(position), 0) FROM checkpoints), "
            "(SELECT count(*) FROM read_models WHERE serving IS NULL)"
        )
        if least >= head and not missing:
            break
        now = time.monotonic()
        assert now < begun + patience, f"views are at {least} of {head}, {missing} do not serve"
        if now > told + TELLS_EVERY:
            told = now
            tell(f"views are at {least:,} of {head:,} events after {now - begun:,.0f} s, {missing} not served yet")
        await asyncio.sleep(0.1)
    await connection.close()
