"""A1 to A3: how fast commands are appended, beside the library's recorder and pgbench, at the same durability."""

import asyncio
import itertools
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from uuid_utils.compat import uuid4, uuid7

from commands.addresses import EMAIL_SCOPE, claim_key
from events.append import Append, ClaimChange, NewEvent
from events.codec import encode, write_metadata
from events.committer import Committer
from events.connections import connect
from events.event import ANONYMOUS, Metadata
from events.user import UserRegistered
from tests.benchmarks.figures import Figure, Measured, measure
from tests.support import Database

__all__ = ["alone", "appends", "fill", "on_a_small_log"]

SECONDS: Final = 3.0
THREADS: Final = (1, 2, 4, 8, 16)


async def fill(database: Database, rows: int) -> None:
    """Put some millions of rows into the log, as its owner, with ids in the order of time as ours; what was there stays."""
    await database.query(
        """
        INSERT INTO stored_events (originator_id, originator_version, topic, state, notification_id, stream_type,
                                   subject_id, recorded_at, metadata)
        SELECT id, 1, 'UserRegistered', convert_to('{"sealed":"' || repeat('x', 120) || '"}', 'utf8'), head + n, 'user',
               id, timestamptz '2026-01-01' + n * interval '1 millisecond',
               ('{"actor":{"type":"anonymous"},"command":"RegisterUser","correlation_id":"' || id || '"}')::json
        FROM (SELECT n, uuidv7() AS id, (SELECT coalesce(max(notification_id), 0) FROM stored_events) AS head
              FROM generate_series(1, $1::bigint) AS n) AS filled
        """,
        rows,
    )
    await database.query("VACUUM (ANALYZE, FREEZE) stored_events")


def _commands(database: Database) -> Iterator[Append]:
    """Registrations as the handler makes them: a sealed event, a claim on an address, a data key."""
    for number in itertools.count():
        user_id, command_id = uuid7(), uuid7()
        key, use = database.keys.make(user_id)
        event = UserRegistered(f"user{number}@example.com", "Ada Lovelace")
        topic, state = encode(event, user_id, 1, key)
        note = write_metadata(Metadata(actor=ANONYMOUS, command="RegisterUser", correlation_id=command_id))
        yield Append(
            command_id,
            [NewEvent(user_id, "user", 1, topic, state, user_id, note)],
            {user_id: 0},
            [ClaimChange(EMAIL_SCOPE, claim_key(database.secret, f"{user_id}@example.com"), None, user_id)],
            keys=[use],
        )


class _Ours:
    def __init__(self, database: Database) -> None:
        self._committer = Committer(lambda: connect(database.url("writer"), "committer"))
        self._commands = _commands(database)
        self.latencies: list[float] = []
        self.cpu_share = 0.0

    async def start(self) -> None:
        await self._committer.start()

    async def stop(self) -> None:
        await self._committer.stop()

    async def rate(self, clients: int) -> float:
        """Commands a second, made, sealed and committed, with so many clients that each wait for their answer."""
        end = time.perf_counter() + SECONDS
        done = 0

        async def client() -> None:
            nonlocal done
            while (begun := time.perf_counter()) < end:
                await self._committer.commit(next(self._commands))
                done += 1
                if clients == 1:
                    self.latencies.append(time.perf_counter() - begun)

        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(client() for _ in range(clients)))
        seconds = time.perf_counter() - begun
        self.cpu_share = (time.process_time() - cpu) / seconds
        return done / seconds


class _Library:
    """`eventsourcing`'s own recorder in its default mode; events only, for it knows no claims."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._store = PostgresDatastore(
            dbname=parts.path[1:],
            host=parts.hostname or "",
            port=str(parts.port),
            user=parts.username or "",
            password=parts.password or "",
            pool_size=32,
            max_overflow=32,
        )
        self._recorder = PostgresApplicationRecorder(self._store, events_table_name="peer_events")
        self._recorder.create_table()

    def close(self) -> None:
        self._store.close()

    def _rate(self, threads: int) -> float:
        end = time.perf_counter() + SECONDS
        counts = [0] * threads

        def client(number: int) -> None:
            while time.perf_counter() < end:
                self._recorder.insert_events([StoredEvent(uuid4(), 1, "UserRegistered", b'{"sealed":"' + b"x" * 120)])
                counts[number] += 1

        begun = time.perf_counter()
        running = [threading.Thread(target=client, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return sum(counts) / (time.perf_counter() - begun)

    async def rate(self, threads: int) -> float:
        return await asyncio.to_thread(self._rate, threads)


async def _pgbench(programs: Path, url: str, clients: int) -> float:
    """Transactions a second of one inserted row each."""
    script = (
        "INSERT INTO pgbench_events VALUES "
        "(gen_random_uuid(), 1, 'UserRegistered', '\\x" + "78" * 130 + "', nextval('pgbench_positions'));"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        ran = await asyncio.to_thread(
            subprocess.run,
            [
                *(str(programs / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2"),
                *("-T", str(int(SECONDS)), "-f", file.name, url),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"tps = ([\d.]+)", ran.stdout)
    assert found, ran.stdout
    return float(found[1])


async def _inserts(url: str) -> list[float]:
    """Seconds of each of some fsynced inserts of one row, one after the other."""
    connection = await connect(url, "inserts")
    times = []
    end = time.perf_counter() + SECONDS
    while (begun := time.perf_counter()) < end:
        await connection.execute(
            "INSERT INTO pgbench_events VALUES ($1, 1, 'UserRegistered', $2, nextval('pgbench_positions'))",
            uuid4(),
            b"x" * 130,
        )
        times.append(time.perf_counter() - begun)
    await connection.close()
    return times


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


async def alone(database: Database) -> list[float]:
    """Seconds of each of some commands of one client alone, one after the other."""
    ours = _Ours(database)
    await ours.start()
    await ours.rate(1)
    await ours.stop()
    return ours.latencies


async def on_a_small_log(database: Database, rounds: int, tell: Callable[[str], None]) -> list[float]:
    """Commands a second at 64 clients, before the log is filled: what the long log is compared with."""
    ours = _Ours(database)
    await ours.start()
    values = await measure({"Muster, 64 clients, small log": lambda: ours.rate(64)}, rounds, tell)
    await ours.stop()
    return values["Muster, 64 clients, small log"]


async def appends(
    database: Database, peer_url: str, programs: Path, small: list[float], rounds: int, tell: Callable[[str], None]
) -> list[Figure]:
    """Measure A1, A2 and A3 on a log that holds what it holds; `small` is what `on_a_small_log` gave."""
    await _make_peer_table(peer_url)
    ours, library = _Ours(database), _Library(peer_url)
    await ours.start()
    best = max(THREADS, key=lambda threads: library._rate(threads))
    tell(f"the library's best number of threads here is {best}")
    inserts: list[float] = []
    latencies: list[float] = []

    async def p99_of_inserts() -> float:
        inserts[:] = await _inserts(peer_url)
        return _p99(inserts) * 1000

    shares: list[float] = []

    async def with_64() -> float:
        rate = await ours.rate(64)
        shares.append(ours.cpu_share * 100)
        return rate

    async def alone() -> float:
        ours.latencies.clear()
        rate = await ours.rate(1)
        latencies.append(_p99(ours.latencies) * 1000)
        return rate

    values = await measure(
        {
            "Muster, 16 clients": lambda: ours.rate(16),
            "Muster, 64 clients": with_64,
            "Muster, 256 clients": lambda: ours.rate(256),
            "library": lambda: library.rate(best),
            "pgbench, 64 clients": lambda: _pgbench(programs, peer_url, 64),
            "pgbench, 256 clients": lambda: _pgbench(programs, peer_url, 256),
            "Muster, 1 client": alone,
            "library, 1 thread": lambda: library.rate(1),
            "one insert, p99 in ms": p99_of_inserts,
        },
        rounds,
        tell,
    )
    await ours.stop()
    library.close()

    def rate(name: str) -> Measured:
        return Measured(values[name], "/s")

    recorder = f"library, {best} threads"
    cpu = Measured(shares, "% of a core")
    return [
        Figure(
            "",
            f"64 clients; the load and the committer together use {cpu}",
            rate("Muster, 64 clients"),
            Measured(small, "/s"),
            "the same on a small log",
            1 / 1.5,
        ),
        Figure("A1", "commands appended, 16 clients", rate("Muster, 16 clients"), rate("library"), recorder, 12),
        Figure("A1", "commands appended, 64 clients", rate("Muster, 64 clients"), rate("library"), recorder, 15),
        Figure("A2", "the same at 64 clients", rate("Muster, 64 clients"), rate("pgbench, 64 clients"), "pgbench", 1),
        Figure(
            "A2", "the same at 256 clients", rate("Muster, 256 clients"), rate("pgbench, 256 clients"), "pgbench", 1.5
        ),
        Figure("A3", "one client alone", rate("Muster, 1 client"), rate("library, 1 thread"), "library", 2),
        Figure(
            "A3",
            "its 99th percentile",
            Measured(latencies, "ms"),
            Measured(values["one insert, p99 in ms"], "ms"),
            "one fsynced insert",
            3,
            more_is_better=False,
        ),
    ]


async def _make_peer_table(url: str) -> None:
    connection: asyncpg.Connection = await connect(url, "benchmarks")
    await connection.execute(
        """
        CREATE TABLE pgbench_events (originator_id uuid, originator_version bigint, topic text, state bytea,
            notification_id bigint UNIQUE, PRIMARY KEY (originator_id, originator_version));
        CREATE SEQUENCE pgbench_positions;
        """
    )
    await connection.close()
