"""Builds a table of a read model anew beside the one that serves, and lets it serve when it has come up with it.

Whoever rebuilds holds a lock, so that a dead rebuild is known by its absence; what it left is dropped by the next one.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import asyncpg

from events.connections import connect
from events.discarded import discarded
from events.keys import local_keyring
from events.store import head
from projections import rebuilds
from projections.anew import KeyRange, Unfoldable, key_ranges
from projections.builders import Build, Builds, builders
from projections.building import BuiltWrongly, create, finish
from projections.checkpoints import begin_at
from projections.dropping import drop_leftovers
from projections.keeping import Store, kept_up
from projections.moments import NotComparable
from projections.read_model import ReadModel
from projections.rebuilds import BUILDING, FOLLOWING, INDEXING
from projections.serving import is_near, note, positions, serving_table, swap
from projections.verifying import Verifier

__all__ = ["BuiltWrongly", "Rebuilding", "Told"]

EVENTS_IN_A_RANGE: Final = 25_000
"""What a builder takes at a time. A log of no more is folded before any process has started."""

TELLS_EVERY_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 0.05
AGAIN_SECONDS: Final = 0.5
"""What serves, and stood still for the swap in vain, goes on for so long before that is tried again."""

PLACES: Final = 5
CHECKED: Final = 400
_SOME: Final = """
    WITH seed AS (
        SELECT subject_id AS key FROM stored_events WHERE subject_id IS NOT NULL
            AND notification_id >= (SELECT (random() * max(notification_id))::bigint FROM stored_events)
        ORDER BY notification_id LIMIT 1
    ), about AS (
        (SELECT subject_id FROM stored_events WHERE subject_id >= (SELECT key FROM seed) ORDER BY subject_id LIMIT $1)
        UNION ALL
        (SELECT subject_id FROM stored_events WHERE subject_id < (SELECT key FROM seed) ORDER BY subject_id DESC LIMIT $1)
    ) SELECT min(subject_id::text)::uuid AS first, max(subject_id::text)::uuid AS last FROM about
"""
"""Some keys around one of a random event, about as many events after it and before it; found in indexes, however long the log."""

Told = Callable[[str, int, int], None]
"""Is told the state of a rebuild, and how many events are done of how many."""


def _nobody(_state: str, _done: int, _total: int) -> None:
    pass


class Rebuilding:
    """One rebuild of one view, by the processes of this host."""

    def __init__(
        self,
        store: Store,
        model: ReadModel[Any],
        partitions: int,
        *,
        by_workers: bool = False,
        told: Told = _nobody,
        range_events: int = EVENTS_IN_A_RANGE,
    ) -> None:
        """`partitions` are those of a view that none serves yet. `by_workers`: another worker goes on should this one die."""
        self._store = store
        self._model = model
        self._partitions = partitions
        self._by_workers = by_workers
        self._told = told
        self._range_events = range_events
        self._last_told = 0.0

    async def run(self, processes: int) -> str:
        """Build, follow and swap; the table that serves now. With no processes, everything is done in this one.

        Raises `RebuildUnderWay`, `Unfoldable` for an event that the model cannot take, `BuiltWrongly`, `BuilderLost`,
        asyncpg's errors. The view that serves goes on serving whatever happens. Whoever is told how it ended can begin another
        one; of what dies the server learns a moment later.
        """
        connection = await connect(self._store.url, "muster rebuild")
        try:
            await rebuilds.hold(connection, self._model)
            try:
                target = await self._unfinished(connection) or await self._built(connection, processes)
                await self._let_serve(connection, target)
            except Unfoldable as unfoldable:
                await self._stop(connection, unfoldable)
                await rebuilds.let_go(connection, self._model)
                raise
            except BuiltWrongly as wrong:
                await self._settle(connection, str(wrong))
                raise
            await self._settle(connection)
            return target
        finally:
            connection.terminate()

    async def _settle(self, connection: asyncpg.Connection, cause: str | None = None) -> None:
        await drop_leftovers(connection, self._model)
        await rebuilds.settle(connection, self._model, cause)
        await rebuilds.let_go(connection, self._model)

    async def _unfinished(self, connection: asyncpg.Connection) -> str | None:
        """The table of a dead rebuild that had only to follow the log, if it is there; a restored database may be without."""
        if not self._by_workers:
            return None
        for rebuild in await rebuilds.rebuilds(connection, self._model.name):
            if (
                rebuild.version == self._model.version
                and rebuild.state == FOLLOWING
                and rebuild.table is not None
                and await positions(connection, rebuild.table)
            ):
                return rebuild.table
        return None

    async def _built(self, connection: asyncpg.Connection, processes: int) -> str:
        """A table with all rows up to the log's present end, and the checkpoints from which it follows."""
        await note(connection, self._model)
        await drop_leftovers(connection, self._model)
        until = await head(connection)
        processes = processes if until > self._range_events else 0
        target = await rebuilds.begin(connection, self._model, until, processes, by_workers=self._by_workers)
        model = self._model.on(target)
        await create(connection, model)
        passed_over = sorted(await discarded(connection, model.name))
        store = self._store
        build = Build(store.url, store.master_keys, model.name, model.version, target, until, passed_over)
        other = await connect(store.url, "muster rebuild")
        try:
            async with builders(build, self._model, processes) as hands:
                with _no_collector() if not processes else contextlib.nullcontext():
                    rows = await self._fill(connection, other, hands, until)
            await self._tell(connection, INDEXING, until, until)
            await finish(other, model, store.reader, rows)
        finally:
            other.terminate()
        await self._begin_to_follow(connection, target, until)
        return target

    async def _fill(
        self, connection: asyncpg.Connection, other: asyncpg.Connection, hands: list[Builds], until: int
    ) -> int:
        """Have all keys built, whoever is free taking the next range; how many rows there are."""
        ranges = key_ranges(other, self._range_events)
        taking, telling = asyncio.Lock(), asyncio.Lock()
        done = rows = 0

        async def build(hand: Builds) -> None:
            nonlocal done, rows
            while True:
                async with taking:
                    keys: KeyRange | None = await anext(ranges, None)
                if keys is None:
                    return
                built = await hand.build(keys)
                rows += built
                done += keys.events
                async with telling:
                    await self._tell(connection, BUILDING, min(done, until), until)

        try:
            async with asyncio.TaskGroup() as group:
                for hand in hands:
                    group.create_task(build(hand))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return rows

    async def _tell(self, connection: asyncpg.Connection, state: str, done: int, total: int) -> None:
        now = time.monotonic()
        if state != BUILDING or now - self._last_told > TELLS_EVERY_SECONDS:
            self._last_told = now
            await rebuilds.tell(connection, self._model, state, done)
        self._told(state, done, total)

    async def _begin_to_follow(self, connection: asyncpg.Connection, target: str, until: int) -> None:
        """From now on the table is projected as any other, by whoever comes first."""
        serving = await serving_table(connection, self._model)
        partitions = len(await positions(connection, serving)) if serving else 0
        async with connection.transaction():
            await begin_at(connection, target, partitions or self._partitions, until)
            await self._tell(connection, FOLLOWING, until, until)

    async def _let_serve(self, connection: asyncpg.Connection, target: str) -> None:
        model = self._model.on(target)
        async with contextlib.nullcontext() if self._by_workers else kept_up(self._store, model):
            end, checked = await head(connection), False
            while True:
                if not await self._near(connection, target, end):
                    await asyncio.sleep(LOOK_SECONDS)
                elif not checked:
                    checked = await self._checked(model)
                elif await swap(connection, self._model, target, whole=True):
                    return
                else:
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _near(self, connection: asyncpg.Connection, target: str, end: int) -> bool:
        await self._refuse_parked(connection, target)
        reached = min(await positions(connection, target), default=0)
        serving = await serving_table(connection, self._model)
        if serving is not None:
            end = max(await positions(connection, serving), default=0)
        self._told(FOLLOWING, reached, max(end, reached))
        return is_near(reached, end)

    async def _refuse_parked(self, connection: asyncpg.Connection, target: str) -> None:
        row = await connection.fetchrow(
            "SELECT position, key, cause FROM parked_events WHERE consumer = $1 ORDER BY position LIMIT 1", target
        )
        if row is not None:
            raise Unfoldable(*row)

    async def _checked(self, model: ReadModel[Any]) -> bool:
        """Whether some keys in some places, as they are read, are what the log makes of them. Raises `BuiltWrongly`."""
        verifier = Verifier(model, local_keyring(self._store.master_keys))
        connection = await connect(self._store.url, "muster rebuild")
        try:
            for _ in range(PLACES):
                row = await connection.fetchrow(_SOME, CHECKED)
                if row is None or row["first"] is None:
                    return True
                verified = await verifier.verify(connection, after=row["first"], until=row["last"])
                if not verified.equal:
                    differ = f"{verified.differing_keys} of {verified.keys} keys that were held against the log differ"
                    raise BuiltWrongly(model.consumer, differ)
        except NotComparable:  # it was divided anew this moment
            return False
        finally:
            connection.terminate()
        return True

    async def _stop(self, connection: asyncpg.Connection, unfoldable: Unfoldable) -> None:
        """Say which event it was, where it is found and can be discarded, and leave nothing else."""
        target = None
        for rebuild in await rebuilds.rebuilds(connection, self._model.name):
            if rebuild.version == self._model.version:
                target = rebuild.table
        await drop_leftovers(connection, self._model)
        partition = unfoldable.key.bytes[15] % self._partitions
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO parked_events (consumer, partition, position, key, cause) VALUES ($1, $2, $3, $4, $5)",
                target,
                partition,
                unfoldable.position,
                unfoldable.key,
                unfoldable.cause,
            )
            await rebuilds.settle(connection, self._model, str(unfoldable))


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """Rows and events are many and in no cycles: looking for some takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.unfreeze()
