"""Which table of a read model serves, and letting another one serve in its place without any reader going back."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import asyncpg
from msgspec import Struct

from events.connections import Reading
from projections.checkpoints import PREPARE_LOCK, PROJECTED
from projections.positions import ViewBehind
from projections.read_model import ReadModel

__all__ = [
    "NothingKept",
    "PerTable",
    "Serving",
    "builder_name",
    "is_near",
    "kept_table",
    "note",
    "positions",
    "serving",
    "serving_table",
    "swap",
    "table_that_serves",
]

T = TypeVar("T")

STANDS_SECONDS: Final = 1.0
"""So long what serves stands still for another table to come up with it."""

LOOK_SECONDS: Final = 0.01

NEAR: Final = 1_000
"""So many events behind what serves, a table is waited for while that stands still."""


class NothingKept(Exception):
    """There is no table to go back to: none served before this one, or it was dropped."""


class Serving(Struct, frozen=True):
    """The tables of a version of a read model: the one that serves, and the one that served before and is projected on."""

    name: str
    version: int
    serving: str | None
    previous: str | None

    @property
    def view(self) -> str:
        """The name for whichever table serves."""
        return f"{self.name}_v{self.version}"


class PerTable(Generic[T]):
    """Something that is made once for each physical table of a read model, such as its compiled statements."""

    def __init__(self, model: ReadModel[Any], make: Callable[[ReadModel[Any]], T]) -> None:
        self._model = model
        self._make = make
        self._made: dict[str, T] = {}

    def __getitem__(self, table: str) -> T:
        made = self._made.get(table)
        if made is None:
            made = self._made[table] = self._make(self._model.on(table))
        return made


async def serving(connection: Reading, name: str | None = None) -> list[Serving]:
    """What serves for each version of a read model, or of all of them."""
    rows = await connection.fetch(
        "SELECT name, version, serving, previous FROM read_models WHERE $1::text IS NULL OR name = $1 "
        "ORDER BY name, version",
        name,
    )
    return [Serving(*row) for row in rows]


async def note(connection: Reading, model: ReadModel[Any]) -> None:
    """Let it be known that there is a read model, of this version. Safe to repeat."""
    await connection.execute(
        "INSERT INTO read_models (name, version) VALUES ($1, $2) ON CONFLICT DO NOTHING", model.name, model.version
    )


async def serving_table(connection: Reading, model: ReadModel[Any]) -> str | None:
    """The table that serves for a read model, in the version that this code knows; None while the first one is built."""
    table: str | None = await connection.fetchval(
        "SELECT serving FROM read_models WHERE name = $1 AND version = $2", model.name, model.version
    )
    return table


async def table_that_serves(connection: Reading, model: ReadModel[Any]) -> str:
    """As `serving_table`. Raises `ViewBehind` while the first one is built."""
    table = await serving_table(connection, model)
    if table is None:
        raise ViewBehind.being_built()
    return table


def is_near(reached: int, end: int) -> bool:
    """Whether a table that stands at one position is soon where another one stands."""
    return reached >= end - NEAR


async def swap(connection: asyncpg.Connection, model: ReadModel[Any], target: str, *, whole: bool = False) -> bool:
    """Let a table serve once it has reached whatever serves now; False when it did not in a second, to be tried again.

    With `whole` also when something that it could not take lies aside. Meanwhile what serves stands still, and after it never overtakes the other: whoever reads both, one after the other,
    in however many processes, does not go back. It is kept, in place of the one that was kept before.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PREPARE_LOCK)
        before = await connection.fetchval(
            "SELECT serving FROM read_models WHERE name = $1 AND version = $2 FOR UPDATE", model.name, model.version
        )
        if before == target:
            return True
        reached = before or await _earlier(connection, model)
        if reached is not None and not await _caught_up(connection, target, reached):
            return False
        if whole and await connection.fetchval("SELECT EXISTS (SELECT FROM parked_events WHERE consumer = $1)", target):
            return False
        await connection.execute(
            "UPDATE checkpoints SET follows = NULL WHERE consumer = $1 AND follows IS NOT NULL", target
        )
        await connection.execute("UPDATE checkpoints SET follows = $2 WHERE consumer = $1", before, target)
        await connection.execute(
            "UPDATE read_models SET serving = $3, previous = $4, swapped_at = clock_timestamp() "
            "WHERE name = $1 AND version = $2",
            model.name,
            model.version,
            target,
            before,
        )
        await connection.execute("SELECT pg_notify($1, $2)", PROJECTED, target)
    return True


async def _earlier(connection: asyncpg.Connection, model: ReadModel[Any]) -> str | None:
    """What serves for the version before, whose readers will come to the new one."""
    table: str | None = await connection.fetchval(
        "SELECT serving FROM read_models WHERE name = $1 AND version < $2 AND serving IS NOT NULL "
        "ORDER BY version DESC LIMIT 1",
        model.name,
        model.version,
    )
    return table


async def _caught_up(connection: asyncpg.Connection, target: str, reached: str) -> bool:
    """Whether a table comes up with another in a second in which that one stands still."""
    stands = await positions(connection, reached, " FOR UPDATE")
    deadline = asyncio.get_running_loop().time() + STANDS_SECONDS
    while True:
        comes = await positions(connection, target)
        if not comes:
            return False
        alike = len(comes) == len(stands)
        if all(map(int.__ge__, comes, stands)) if alike else min(comes) >= max(stands, default=0):
            return True
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)


async def positions(connection: Reading, consumer: str, lock: str = "") -> list[int]:
    """Where the partitions of a table stand; none where it is not projected."""
    rows = await connection.fetch(
        f"SELECT position FROM checkpoints WHERE consumer = $1 ORDER BY partition{lock}",  # noqa: S608 - a constant
        consumer,
    )
    return [row["position"] for row in rows]


async def kept_table(connection: Reading, model: ReadModel[Any]) -> str:
    """The table that served before this one, and can again. Raises `NothingKept`."""
    table: str | None = await connection.fetchval(
        "SELECT previous FROM read_models WHERE name = $1 AND version = $2", model.name, model.version
    )
    if table is None:
        raise NothingKept
    return table


def builder_name(table: str) -> str:
    """The name of the sessions that build a table."""
    return f"muster builder {table}"
