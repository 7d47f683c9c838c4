"""How far the read models are, known in each API process without asking, so that many can wait for their own writes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from events.tail import Wakeups
from projections.checkpoints import PROJECTED

__all__ = ["Positions", "ViewBehind"]

LOOK_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.2


class ViewBehind(Exception):
    """The view has not reached the position that was asked for in the time that was given."""

    def __init__(self, position: int, reached: int) -> None:
        self.position = position
        self.reached = reached
        super().__init__(f"The view has reached position {reached}, not {position} yet; try again shortly.")


class _Waiter(Struct, eq=False):
    consumer: str
    subject_id: UUID | None
    position: int
    reached: asyncio.Future[None]


class Positions:
    """Hears of every checkpoint that moves, on one connection for all waiters; one a process, with the reader's rights.

    While someone waits, the checkpoints are also read once a second, whoever and however many wait: for announcements
    are only heard while the connection lives.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._wakeups = Wakeups(connect, PROJECTED)
        self._wakeups.on_announcement(self._heard)
        self._known: dict[str, dict[int, int]] = {}
        self._waiters: set[_Waiter] = set()
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and know where everything stands."""
        self._task = asyncio.create_task(self._keep_looking(), name="positions")
        await self._wakeups.start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._wakeups.stop()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def position(self, consumer: str, subject_id: UUID | None = None) -> int:
        """Where a view stands, as far as is known here: for one subject, or (its least partition) for all."""
        partitions = self._known.get(consumer)
        if not partitions:
            return 0
        if subject_id is None:
            return min(partitions.values())
        return partitions.get(subject_id.bytes[15] % len(partitions), 0)

    async def wait(self, consumer: str, subject_id: UUID | None, position: int, timeout: float) -> int:  # noqa: ASYNC109 - one error for all who wait in vain
        """Return the view's position once it is at least `position`, for one subject or (None) for all.

        Raises `ViewBehind` after `timeout` seconds.
        """
        if (reached := self.position(consumer, subject_id)) >= position:
            return reached
        waiter = _Waiter(consumer, subject_id, position, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter.reached
        except TimeoutError:
            raise ViewBehind(position, self.position(consumer, subject_id)) from None
        finally:
            self._waiters.discard(waiter)
        return self.position(consumer, subject_id)

    def _heard(self, payload: str) -> None:
        """`users_v3:0:17`: partition 0 stands at 17. `users_v3`: it is divided anew. Nothing: much may have been missed."""
        consumer, _, numbers = payload.partition(":")
        partition, _, position = numbers.partition(":")
        partitions = self._known.get(consumer, {})
        if position and int(partition) in partitions:
            partitions[int(partition)] = max(partitions[int(partition)], int(position))
            self._answer(consumer)
            return
        if not payload:
            self._known = {}
        self._known.pop(consumer, None)
        self._look.set()

    def _answer(self, consumer: str | None = None) -> None:
        for waiter in self._waiters:
            if (
                consumer in (None, waiter.consumer)
                and not waiter.reached.done()
                and self.position(waiter.consumer, waiter.subject_id) >= waiter.position
            ):
                waiter.reached.set_result(None)

    async def _keep_looking(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()
            if self._waiters or self._look.is_set():
                self._look.clear()
                try:
                    await self._read_checkpoints()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    self._look.set()
                    await asyncio.sleep(RETRY_SECONDS)

    async def _read_checkpoints(self) -> None:
        """What is read may be older than what was heard meanwhile, and is never newer than what will be."""
        rows = await self._pool.fetch("SELECT consumer, partition, partitions, position FROM checkpoints")
        read: dict[str, dict[int, int]] = {}
        for row in rows:
            before = self._known.get(row["consumer"], {})
            heard = before.get(row["partition"], 0) if len(before) == row["partitions"] else 0
            read.setdefault(row["consumer"], {})[row["partition"]] = max(heard, row["position"])
        self._known = read
        self._answer()
