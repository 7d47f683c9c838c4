"""Views as benchmarks find them in the database: which table serves, how far it is, and as if nothing had been projected."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from events.connections import connect
from projections.checkpoints import lock_key
from queries.users import VIEW
from tests.support import Database

__all__ = ["USERS_TABLE", "Progress", "caught_up", "emptied", "held"]

USERS_TABLE: Final = f"views.{VIEW}"
LOOKS_EVERY: Final = 0.01
TELLS_EVERY: Final = 10.0


async def emptied(database: Database) -> None:
    """Have nothing projected into the view of users, which a worker made before."""
    connection = await connect(database.url("projector"), "views")
    async with connection.transaction():
        await connection.execute(f"TRUNCATE {USERS_TABLE}")
        moved = await connection.execute(
            "UPDATE checkpoints SET position = 0, replayed_to = 0 WHERE consumer = $1", VIEW
        )
    await connection.close()
    assert moved != "UPDATE 0", "no worker has made the view of users"


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Let no worker have a partition of the view of users, until what is given here is called."""
    connection = await connect(database.owner_url, "views")
    await connection.execute(
        "SELECT pg_advisory_lock($2, partition) FROM checkpoints WHERE consumer = $1", VIEW, lock_key(VIEW)
    )
    try:
        yield connection.close
    finally:
        await connection.close()


class Progress:
    """How many of the log's events the view of users has taken in, as long as its partitions have equal shares of them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def done(self) -> float:
        """The mean of the partitions' positions; each is at the log's end only when all are."""
        mean: Any = await self._connection.fetchval(
            "SELECT avg(position)::float8 FROM checkpoints WHERE consumer = $1", VIEW
        )
        return float(mean)

    async def rate(self) -> float:
        """Events a second, from the first step that is seen to the log's end."""
        head = await self._connection.fetchval("SELECT max(notification_id) FROM stored_events")
        while not (first := await self.done()):  # noqa: ASYNC110 - it comes about in another process
            await asyncio.sleep(LOOKS_EVERY)
        begun = time.perf_counter()
        while await self.done() < head:  # noqa: ASYNC110 - it comes about in another process
            await asyncio.sleep(LOOKS_EVERY)
        rate: float = (head - first) / (time.perf_counter() - begun)
        return rate


async def caught_up(database: Database, tell: Callable[[str], None] = lambda _line: None) -> None:
    """Come back when every view that a worker keeps has come to the log's end."""
    connection = await connect(database.owner_url, "views")
    begun = told = time.monotonic()
    while True:
        head, least = await connection.fetchrow(
            "SELECT (SELECT max(notification_id) FROM stored_events), coalesce(min(position), 0) FROM checkpoints"
        )
        if least >= head:
            break
        if time.monotonic() > told + TELLS_EVERY:
            told = time.monotonic()
            tell(f"views are at {least:,} of {head:,} events after {told - begun:,.0f} s")
        await asyncio.sleep(0.1)
    await connection.close()
