"""Holds partitions for a slice of time each, so that workers come and go and the load moves between them."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import asyncpg
import structlog

from events.connections import BY_KEYS
from events.data_keys import DataKeys
from events.tail import Wakeups
from projections.causes import told
from projections.checkpoints import Checkpoint, Overtaken, release, take
from projections.consumer import Consumer
from projections.recent import Recent

__all__ = ["PLANNED_ONCE", "SLICE_SECONDS", "Slices"]

PLANNED_ONCE: Final = {**BY_KEYS, "plan_cache_mode": "force_generic_plan"}
"""For connections on which partitions are held. PostgreSQL knows how many items an array has, finds a plan for that many
cheaper than one for any number, and so plans statements that take a row or two anew each time, for longer than they take.

A plan for any number that was made while a table had a page must not read the whole of it when it has a million, and
is for few rows, whatever it says: compiling it would take longer than it does.
"""

SLICE_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.5

_log = structlog.get_logger()


class Slices:
    """Takes partitions, steps them through the log and waits for what comes next; one a process.

    Each partition is held on a connection of its own out of the pool, which has some more for what they do together. `stop` ends all slices after their present step.
    """

    def __init__(
        self, pool: asyncpg.Pool, wakeups: Wakeups, keys: DataKeys, stepped: Callable[[Consumer, int], None]
    ) -> None:
        """`keys` are those of the consumers; `stepped` is told how many events concerned one after each step with any."""
        self._pool = pool
        self._wakeups = wakeups
        self._recent = Recent(pool, wakeups, keys)
        self._stepped = stepped
        self._held: set[asyncio.Event] = set()
        self._failing: set[tuple[str, int]] = set()
        self.stopping = False

    def stop(self) -> None:
        """Let every slice end soon."""
        self.stopping = True
        for woken in self._held:
            woken.set()

    async def hold(self, consumer: Consumer, partition: int, seconds: float = SLICE_SECONDS) -> bool:
        """Keep a partition at the log's end for a slice; False, at once, when someone else holds it.

        Errors are logged, the first of a row of them, and end the slice after a pause: what was not committed will be done again.
        """
        try:
            held = await self._hold(consumer, partition, seconds)
        except Overtaken:
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the next slice begins from what was committed
            self._failed(consumer, partition, told(error))
            await asyncio.sleep(0 if self.stopping else PAUSE_SECONDS)
            return True
        self._failing.discard((consumer.name, partition))
        return held

    def _failed(self, consumer: Consumer, partition: int, cause: str) -> None:
        if (consumer.name, partition) not in self._failing:
            _log.warning("slice failed", consumer=consumer.name, partition=partition, error=cause)
        self._failing.add((consumer.name, partition))

    async def _hold(self, consumer: Consumer, partition: int, seconds: float) -> bool:
        connection = await self._pool.acquire(timeout=seconds)
        try:
            checkpoint = await take(connection, consumer.name, partition)
            if checkpoint is None:
                return False
            await self._follow(connection, consumer, checkpoint, asyncio.get_running_loop().time() + seconds)
            await release(connection, consumer.name, partition)
        except BaseException:
            connection.terminate()  # with it goes the lock
            raise
        finally:
            await self._pool.release(connection)
        return True

    async def _follow(
        self, connection: asyncpg.Connection, consumer: Consumer, checkpoint: Checkpoint, until: float
    ) -> None:
        """Each slice begins with a look of its own: announcements that were lost cost no more than the slice before it."""
        await consumer.begin(connection, checkpoint)
        recent = None
        with self._wakeups.woken() as woken:
            self._held.add(woken)
            try:
                while not self.stopping:
                    woken.clear()
                    step = await consumer.step(connection, checkpoint, recent)
                    checkpoint = step.checkpoint
                    recent = None if step.behind else self._recent
                    if step.events:
                        self._stepped(consumer, step.events)
                    if not step.behind and not self.stopping:
                        await _wait(woken, until, step.rests)
                    if asyncio.get_running_loop().time() >= until:
                        return
            finally:
                self._held.discard(woken)


async def _wait(woken: asyncio.Event, until: float, rests: float) -> None:
    """Until something happens, the slice is over, or the partition has rested."""
    again = asyncio.get_running_loop().time() + rests if rests else until
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(min(again, until)):
            await woken.wait()
