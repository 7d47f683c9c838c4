"""S2 and S3: commands that go over everything, among ten times as many users, and the memory that all processes take meanwhile.

Each is a command of `muster` in a process of its own, as operators run it, while an API process and a worker do their work;
someone reads now and then. Memory is the most that any one process had resident, with what it had started.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tests.benchmarks.figures import Figure, Measure, Measured, measure
from tests.benchmarks.grown import some_people
from tests.benchmarks.house import House
from tests.benchmarks.load import Unexpected, pace
from tests.benchmarks.memory import Peaks, watched
from tests.benchmarks.people import tokens
from tests.benchmarks.requests import get
from tests.benchmarks.serving import ROOT
from tests.benchmarks.views import caught_up, users_in_view
from tests.support import Database

__all__ = ["everything", "memory", "run"]

READS: Final = 20.0
"""A second."""
READERS: Final = 100
A_WHILE: Final = 1.0
MOST_MEGABYTES: Final = 300.0


class _Command(Struct, frozen=True):
    """A command of `muster`, given a folder for what it writes, and what it must have left there.

    `afterwards` is run when nobody measures, so that the next one finds what this one found.
    """

    what: str
    arguments: Callable[[Path], list[str]]
    look: Callable[[Path, Database], Awaitable[None]]
    afterwards: Sequence[str] = ()


async def _all_are_shown(_folder: Path, database: Database) -> None:
    users, _ = await users_in_view(database)
    rows = await database.query(
        "SELECT count(*) FILTER (WHERE topic = 'UserRegistered') "
        "- count(*) FILTER (WHERE topic IN ('RegistrationLapsed', 'RegistrationSuperseded')) AS users FROM stored_events"
    )
    if users != rows[0]["users"]:
        raise Unexpected(f"{users} users are shown of {rows[0]['users']} who are there.")


async def _all_are_exported(folder: Path, database: Database) -> None:
    users, _ = await users_in_view(database)
    lines = await asyncio.to_thread(_lines, _exported(folder))
    if users != lines:
        raise Unexpected(f"{lines} lines were exported of {users} users.")


def _exported(folder: Path) -> Path:
    return folder / "users.ndjson"


def _lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


COMMANDS: Final = (
    _Command(
        "rebuilding users",
        lambda _folder: ["projections", "rebuild", "users"],
        _all_are_shown,
        afterwards=("projections", "drop", "users"),
    ),
    _Command(
        "exporting users with what is personal",
        lambda folder: ["export", "users", "--personal", "--format", "ndjson", "--output", str(_exported(folder))],
        _all_are_exported,
    ),
    _Command(
        "exporting users for an import",
        lambda folder: ["users", "export", "--with-password-hashes", "--output", str(_exported(folder))],
        _all_are_exported,
    ),
    _Command("verifying users", lambda _folder: ["projections", "verify", "users"], _all_are_shown),
)


async def everything(house: House, databases: Mapping[int, Database]) -> list[Figure]:
    """Measure S2 between the least and the most users, and S3 at the most."""
    peaks: dict[tuple[int, str], list[float]] = {}
    measures = {
        f"{command.what}, {users:,} users, s": _seconds(house, users, database, command, peaks)
        for command in COMMANDS
        for users, database in databases.items()
    }
    values = await measure(measures, house.rounds, lambda line: house.tell(f"S2: {line}"))
    few, many = databases
    figures = [
        Figure(
            "S2",
            f"{command.what}, {many:,} users",
            Measured(values[f"{command.what}, {many:,} users, s"], "s"),
            Measured(values[f"{command.what}, {few:,} users, s"], "s"),
            f"{few:,} users",
            12,
            more_is_better=False,
        )
        for command in COMMANDS
    ]
    return figures + memory(peaks, few, many)


def memory(peaks: Mapping[tuple[int, str], list[float]], few: int, many: int) -> list[Figure]:
    """What each process took at the most, in MB, among many users, beside the limit; and among few."""
    return [
        Figure(
            "S3",
            f"most memory of {who}, {many:,} users",
            Measured(taken, "MB"),
            Measured([MOST_MEGABYTES], "MB"),
            "limit",
            1,
            more_is_better=False,
            notes=[f"{who}: {Measured(peaks[few, who], 'MB')} among {few:,} users"],
        )
        for (users, who), taken in peaks.items()
        if users == many
    ]


def _seconds(
    house: House, users: int, database: Database, command: _Command, peaks: dict[tuple[int, str], list[float]]
) -> Measure:
    async def measured() -> float:
        server = replace(house.as_shipped(database), name=f"muster {users}")
        worker = house.worker(database, f"worker {users}")
        folder = house.folder / "written"
        folder.mkdir(exist_ok=True)
        async with house.working(worker) as (working,), house.serving(server) as (api, _):
            await caught_up(database)
            async with watched({f"the API, {command.what}": api.pid, f"a worker, {command.what}": working}) as seen:
                finished = asyncio.Event()
                reading = asyncio.create_task(_read(database, users, api.port, finished))
                begun = time.perf_counter()
                await run(house, database, command.arguments(folder), seen, f"the command itself, {command.what}")
                seconds = time.perf_counter() - begun
                finished.set()
                await reading
            if command.afterwards:
                await run(house, database, command.afterwards)
        for who, megabytes in seen.megabytes.items():
            peaks.setdefault((users, who), []).append(megabytes)
        await command.look(folder, database)
        for file in folder.iterdir():
            file.unlink()
        return seconds

    return measured


async def run(
    house: House, database: Database, arguments: Sequence[str], seen: Peaks | None = None, name: str = ""
) -> None:
    """Run a command of `muster`, and see what memory it takes. Raises `Unexpected` when it fails."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", *arguments),
        cwd=ROOT,
        env=house.environment(database),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    if seen is not None:
        seen.watch(name, child.pid)
    printed, _ = await child.communicate()
    if child.returncode != 0:
        raise Unexpected(f"muster {' '.join(arguments)}: {printed[-500:].decode(errors='replace')}")


async def _read(database: Database, users: int, port: int, finished: asyncio.Event) -> None:
    """People look at themselves, again and again."""
    known = await some_people(database, users, READERS)
    while not finished.is_set():
        fresh = await tokens(database, known)
        reads = itertools.cycle([get(f"/v1/users/{one.id}", token) for one, token in zip(known, fresh, strict=True)])
        await pace(port, reads, READS, frozenset({200}), seconds=A_WHILE)
