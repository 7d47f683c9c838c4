"""S2 and S3: everyone of one Muster is brought into an empty one, while its API and a worker do their work.

Meanwhile people look at themselves, and others register, with passwords at full cost.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from tests.benchmarks.everything import memory, run
from tests.benchmarks.figures import Figure, Measure, Measured, measure
from tests.benchmarks.house import House
from tests.benchmarks.load import Unexpected, pace
from tests.benchmarks.memory import watched
from tests.benchmarks.people import Person, people, tokens
from tests.benchmarks.requests import get, registrations
from tests.benchmarks.views import caught_up
from tests.support import Database

__all__ = ["importing"]

WHAT: Final = "importing users"
READS: Final = 20.0
"""A second."""
COMMANDS: Final = 2.0
"""A second."""
KNOWN: Final = 50
PASSWORD: Final = b'"password_hash":"'
HASH: Final = PASSWORD + b"$"
A_WHILE: Final = 1.0
MANY_ROWS: Final = 100_000
WITHIN_SECONDS: Final = 60.0


async def importing(house: House, databases: Mapping[int, Database]) -> list[Figure]:
    """Measure the import between the least and the most users, how long 100,000 rows take, and the memory at the most."""
    peaks: dict[tuple[int, str], list[float]] = {}
    reads: dict[int, list[float]] = {}
    files = {users: await _exported(house, users, database) for users, database in databases.items()}
    rows = {users: await asyncio.to_thread(_lines, file) for users, file in files.items()}
    measures = {
        f"{WHAT}, {users:,} users, s": _seconds(house, users, files[users], rows[users], peaks, reads)
        for users in databases
    }
    values = await measure(measures, house.rounds, lambda line: house.tell(f"S2: {line}"))
    few, many = databases
    taken = {users: values[f"{WHAT}, {users:,} users, s"] for users in databases}
    slowest = ", ".join(
        f"{_slowest(reads[users]) * 1000:,.0f} ms (99th percentile) at {users:,} users" for users in databases
    )
    return [
        Figure(
            "S2",
            f"{WHAT}, {many:,} users",
            Measured(taken[many], "s"),
            Measured(taken[few], "s"),
            f"{few:,} users",
            12,
            more_is_better=False,
            notes=[f"meanwhile, somebody who looked at themselves was answered within {slowest}"],
        ),
        Figure(
            "S2",
            f"importing {MANY_ROWS:,} rows",
            Measured([seconds * MANY_ROWS / rows[few] for seconds in taken[few]], "s"),
            Measured([WITHIN_SECONDS], "s"),
            "limit",
            1,
            more_is_better=False,
        ),
        *memory(peaks, few, many),
    ]


def _slowest(latencies: Sequence[float]) -> float:
    return statistics.quantiles(latencies, n=100)[-1]


async def _exported(house: House, users: int, database: Database) -> Path:
    """All but those who registered in S1, where hashing is taken out: a password that is none of any hash is refused."""
    whole, file = (house.folder / f"{what}_{users}.ndjson" for what in ("exported", "to_import"))
    house.tell(f"exporting {users:,} users")
    await run(house, database, ["users", "export", "--with-password-hashes", "--output", str(whole)])
    await asyncio.to_thread(_with_hashes, whole, file)
    whole.unlink()
    return file


def _with_hashes(whole: Path, file: Path) -> None:
    with whole.open("rb") as lines, file.open("wb") as kept:
        kept.writelines(line for line in lines if HASH in line or PASSWORD not in line)


def _lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


def _seconds(
    house: House,
    users: int,
    file: Path,
    rows: int,
    peaks: dict[tuple[int, str], list[float]],
    reads: dict[int, list[float]],
) -> Measure:
    async def measured() -> float:
        database = await house.muster(f"imported_{users}")
        known = await people(database, KNOWN)
        server = replace(house.as_shipped(database), name=f"muster {users}")
        worker = house.worker(database, f"worker {users}")
        async with house.working(worker) as (working,), house.serving(server) as (api, _):
            await caught_up(database)
            async with watched({f"the API, {WHAT}": api.pid, f"a worker, {WHAT}": working}) as seen:
                finished = asyncio.Event()
                others = asyncio.create_task(_meanwhile(database, known, api.port, finished))
                begun = time.perf_counter()
                await run(house, database, ["import", str(file)], seen, f"the command itself, {WHAT}")
                seconds = time.perf_counter() - begun
                finished.set()
                reads.setdefault(users, []).extend(await others)
        for who, megabytes in seen.megabytes.items():
            peaks.setdefault((users, who), []).append(megabytes)
        (found,) = await database.query("SELECT count(*) AS rows FROM stored_events WHERE topic = 'UserImported'")
        if found["rows"] != rows:
            raise Unexpected(f"{found['rows']} users were imported of {rows}.")
        return seconds

    return measured


async def _meanwhile(database: Database, known: Sequence[Person], port: int, finished: asyncio.Event) -> list[float]:
    """How long those who looked at themselves waited, while others registered."""
    latencies: list[float] = []
    newcomers = registrations("/v1/users")
    while not finished.is_set():
        fresh = await tokens(database, known)
        reading = itertools.cycle([get(f"/v1/users/{one.id}", token) for one, token in zip(known, fresh, strict=True)])
        answers, _ = await asyncio.gather(
            pace(port, reading, READS, frozenset({200}), seconds=A_WHILE),
            pace(port, newcomers, COMMANDS, frozenset({202}), seconds=A_WHILE),
        )
        latencies += answers.latencies
    return latencies
