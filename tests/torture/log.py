"""No gap, no skip, no reorder: several committers in several processes, readers, VACUUM, and connections that are killed."""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct

from events.connections import connect, open_pool
from events.tail import Wakeups, tail
from tests.support import Database, until

__all__ = ["Report", "compare", "torture_log"]


class Report(Struct, frozen=True):
    """What was seen of a log under torture."""

    seed: int
    seconds: float
    events: int
    acknowledged: int
    kills: int
    vacuums: int
    faults: list[str]


class _Reader:
    """Follows the log and counts what it sees, in order."""

    def __init__(self) -> None:
        self.seen = 0
        self.faults: list[str] = []

    async def follow(self, url: str, page: int) -> None:
        wakeups = Wakeups(lambda: connect(url, "torture listener"))
        await wakeups.start()
        pool = await open_pool(url, "torture reader", 1)
        try:
            async with contextlib.aclosing(tail(pool, wakeups, after=0, page=page)) as pages:
                await self._check(pages)
        finally:
            await pool.close()
            await wakeups.stop()

    async def _check(self, pages: AsyncIterator[list[Any]]) -> None:
        last_time = None
        async for rows in pages:
            for row in rows:
                if row["notification_id"] != self.seen + 1:
                    self.faults.append(f"position {row['notification_id']} came after {self.seen}")
                if last_time is not None and row["recorded_at"] < last_time:
                    self.faults.append(f"time ran backwards at {row['notification_id']}")
                self.seen, last_time = row["notification_id"], row["recorded_at"]


async def torture_log(
    database: Database,
    *,
    events: int,
    writers: int = 3,
    readers: int = 2,
    seed: int | None = None,
    tell: Callable[[str], None] = lambda _line: None,
) -> Report:
    """Append some events from several processes while backends are killed, then compare what everyone saw."""
    seed = random.randrange(2**32) if seed is None else seed
    chance = random.Random(seed)
    started = time.monotonic()
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.torture.writer", database.url("writer"), str(events // writers)),
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(writers)
    ]
    acknowledged: dict[str, tuple[int, int]] = {}
    done = asyncio.Event()
    following = [_Reader() for _ in range(readers)]
    followers = [
        asyncio.create_task(reader.follow(database.url("reader"), page))
        for reader, page in zip(following, (500, 7, 100, 1), strict=False)
    ]
    kills = asyncio.create_task(_kill(database, chance, done))
    vacuums = asyncio.create_task(_vacuum(database, done))
    progress = asyncio.create_task(_tell(acknowledged, events, started, tell, done))

    await asyncio.gather(*(_read(process, acknowledged) for process in processes))
    faults = [f"a writer ended with {process.returncode}" for process in processes if await process.wait()]
    done.set()
    rows = await database.query(
        "SELECT notification_id, metadata->>'correlation_id' AS command FROM stored_events ORDER BY notification_id"
    )

    async def all_seen() -> bool:
        return all(reader.seen >= len(rows) for reader in following)

    await until(all_seen, 60)
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    faults += compare(rows, acknowledged)
    for number, reader in enumerate(following):
        faults += [f"reader {number}: {fault}" for fault in reader.faults]
    await progress
    return Report(
        seed, time.monotonic() - started, len(rows), len(acknowledged), await kills, await vacuums, faults[:20]
    )


async def _read(process: asyncio.subprocess.Process, acknowledged: dict[str, tuple[int, int]]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        command, position, count = line.decode().split()
        acknowledged[command] = (int(position), int(count))


async def _kill(database: Database, chance: random.Random, done: asyncio.Event) -> int:
    """End a committer's backend every now and then, as the network or an operator might."""
    kills = 0
    connection = await connect(database.url("writer"), "torture killer")
    while not await _waited(done, chance.uniform(0.05, 0.4)):
        killed = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'torture committer' "
            "AND datname = current_database() ORDER BY random() LIMIT 1"
        )
        kills += len(killed)
    await connection.close()
    return kills


async def _vacuum(database: Database, done: asyncio.Event) -> int:
    vacuums = 0
    while not await _waited(done, 0.2):
        await database.query("VACUUM (ANALYZE) stored_events")
        vacuums += 1
    return vacuums


async def _tell(
    acknowledged: dict[str, Any], events: int, started: float, tell: Callable[[str], None], done: asyncio.Event
) -> None:
    while not await _waited(done, 5):
        count = sum(count for _, count in acknowledged.values())
        rate = count / (time.monotonic() - started)
        left = (events - count) / rate if rate else 0
        tell(f"{count:,} of {events:,} events, {rate:,.0f} a second, {left:.0f} s left")


async def _waited(done: asyncio.Event, seconds: float) -> bool:
    """Whether it is over, after at most some seconds."""
    try:
        await asyncio.wait_for(done.wait(), seconds)
    except TimeoutError:
        return False
    return True


def compare(rows: list[Any], acknowledged: dict[str, tuple[int, int]]) -> list[str]:
    """What is wrong with a log: gaps, commands that were acknowledged and are not there whole, or not where they were said to be."""
    faults = []
    commands: dict[str, list[int]] = {}
    for number, row in enumerate(rows, start=1):
        if row["notification_id"] != number:
            faults.append(f"there is a gap before {row['notification_id']}")
            break
        commands.setdefault(row["command"], []).append(number)
    for command, (position, count) in acknowledged.items():
        places = commands.pop(command, [])
        if places != list(range(position - count + 1, position + 1)):
            faults.append(f"{command} was acknowledged at {position} with {count} events and is at {places}")
    faults += [f"{command} is there and was never acknowledged" for command in commands]
    return faults
