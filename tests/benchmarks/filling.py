"""A log that is filled through the store's own append function, with its clock turned to when things are to have happened."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

import asyncpg
from passlib.hash import argon2

from events.appending import APPEND, arguments
from events.connections import connect
from events.keys import DataKey, derived
from tests.benchmarks.lives import DAYS, Realm, Wave
from tests.benchmarks.requests import PASSWORD
from tests.support import Database

__all__ = ["fill_with", "realm_of"]

TELLS_EVERY: Final = 10.0
_THEN: Final = "append_events_then"
_CLOCK: Final = "current_setting('muster.then')::timestamptz"


async def realm_of(database: Database, now: datetime) -> Realm:
    """What everyone in a database shares; all have the password of the benchmarks, hashed once."""
    connection = await connect(database.url("writer"), "filling")
    months: dict[str, DataKey] = {}
    for day in range(DAYS + 2):
        month, key = await database.keys.current_client_key(connection, now - timedelta(days=day))
        assert key is not None
        months[month] = key
    await connection.close()
    hashed = argon2.using(type="ID", memory_cost=19_456, time_cost=2, parallelism=1).hash(PASSWORD)
    return Realm(derived(database.secret, "claims"), database.keys, hashed, months)


async def fill_with(
    database: Database, waves: Iterator[Wave], events: int, tell: Callable[[str], None] = lambda _line: None
) -> int:
    """Append waves, each in a transaction of its own, and tell how far it is of some so many events; how many there were.

    Raises AssertionError where anything is refused.
    """
    connection = await connect(database.owner_url, "filling")
    done, begun, told = 0, time.monotonic(), time.monotonic()
    await _turn_the_clock(connection)
    await _move_to_before(connection)
    following = await asyncio.to_thread(next, waves, None)
    while following is not None:
        wave = following
        following, _ = await asyncio.gather(asyncio.to_thread(next, waves, None), _append(connection, wave))
        done += wave.events
        if time.monotonic() > told + TELLS_EVERY:
            told = time.monotonic()
            rate = done / (told - begun)
            left = max(0, events - done) / rate
            tell(f"{done:,} of some {events:,} events, {rate:,.0f} a second, {left:,.0f} s to go")
    await connection.execute(f"DROP FUNCTION {_THEN}")
    for table in ("stored_events", "claims", "secrets", "data_keys"):
        await connection.execute(f"VACUUM (ANALYZE, FREEZE) {table}")
    await connection.close()
    return done


async def _turn_the_clock(connection: asyncpg.Connection) -> None:
    """Make a copy of the append function, for its owner alone, that is told what time it is."""
    source: str = await connection.fetchval("SELECT pg_get_functiondef('append_events'::regproc)")
    copy = source.replace("append_events(", f"{_THEN}(", 1).replace("clock_timestamp()", _CLOCK)
    assert copy.count(_CLOCK) == source.count("clock_timestamp()") > 0
    await connection.execute(copy)
    await connection.execute(f"REVOKE ALL ON FUNCTION {_THEN} FROM PUBLIC")


async def _move_to_before(connection: asyncpg.Connection) -> None:
    """What migrating has recorded happened before everything else, or the log's clock could not be turned back."""
    async with connection.transaction():
        await connection.execute("ALTER TABLE stored_events DISABLE TRIGGER USER")
        await connection.execute("UPDATE stored_events SET recorded_at = recorded_at - interval '1 year'")
        await connection.execute("ALTER TABLE stored_events ENABLE TRIGGER USER")


async def _append(connection: asyncpg.Connection, wave: Wave) -> None:
    if not wave.commands:
        return
    async with connection.transaction():
        await connection.execute("SELECT set_config('muster.then', $1, true)", wave.at.isoformat())
        row = await connection.fetchrow(APPEND.replace("append_events(", f"{_THEN}("), *arguments(wave.commands))
        assert row["refused"] == [], row["reasons"]
