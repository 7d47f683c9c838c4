"""How far the read models are, known in each API process without asking, so that many can wait for their own writes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import asyncpg

from events.connections import is_lost
from events.tail import Wakeups
from projections.checkpoints import PROJECTED
from projections.waiting import Waiter, Waiting

__all__ = ["Positions", "ViewBehind"]

LOOK_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.2


class ViewBehind(Exception):
    """The view has not reached the position that was asked for in the time that was given."""

    def __init__(self, position: int, reached: int) -> None:
        self.position = position
        self.reached = reached
        super().__init__(f"The view has reached position {reached}, not {position} yet; try again shortly.")


class Positions:
    """Hears of every checkpoint that moves, on one connection for all waiters; one a process, with the reader's rights.

    While someone waits, the checkpoints are also read once a second, whoever and however many wait: for announcements
    are only heard while the connection lives.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], pool: asyncpg.Pool) -> None:
        self.looks = 0
        """How often the checkpoints were read."""
        self._pool = pool
        self._wakeups = Wakeups(connect, PROJECTED)
        self._wakeups.on_announcement(self._heard)
        self._known: dict[str, dict[int, int]] = {}
        self._waiting: dict[str, Waiting] = {}
        self._forgotten = 0
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

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

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

        Those who are due at once return in the order in which they came. Raises `ViewBehind` after `timeout` seconds.
        """
        if (reached := self.position(consumer, subject_id)) >= position:
            return reached
        waiter = Waiter(None if subject_id is None else subject_id.bytes[15], position)
        waiting = self._waiting_for(consumer)
        waiting.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter.reached
        except TimeoutError:
            raise ViewBehind(position, self.position(consumer, subject_id)) from None
        finally:
            waiting.discard(waiter)
        return max(position, self.position(consumer, subject_id))

    def _waiting_for(self, consumer: str) -> Waiting:
        if consumer not in self._waiting:
            made = self._waiting[consumer] = Waiting()
            made.divide(len(self._known.get(consumer, ())))
        return self._waiting[consumer]

    def _heard(self, payload: str) -> None:
        """`users_v3:0:17`: partition 0 stands at 17. `users_v3`: it is divided anew. Nothing: much may have been missed."""
        consumer, _, numbers = payload.partition(":")
        partition, _, position = numbers.partition(":")
        if position and (partitions := self._known.get(consumer)) and int(partition) in partitions:
            if int(position) > partitions[int(partition)]:
                partitions[int(partition)] = int(position)
                self._answer(consumer, int(partition))
            return
        if not position:  # what is being read now may be of before
            self._forgotten += 1
        if payload:
            self._known.pop(consumer, None)
        else:
            self._known = {}
        self._look.set()

    def _answer(self, consumer: str, moved: int | None = None) -> None:
        """Those who are due in a partition that moved, or in any."""
        waiting = self._waiting.get(consumer)
        if not waiting:
            return
        known = self._known[consumer]
        for partition in known if moved is None else (moved,):
            waiting.reached(partition, known[partition])
        if waiting.waits_for_all():
            waiting.reached(None, min(known.values()))

    async def _keep_looking(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()
            if self.waiting or self._look.is_set():
                self._look.clear()
                try:
                    await self._read_checkpoints()
                except Exception as error:
                    if not isinstance(error, asyncpg.PostgresError) and not is_lost(error):
                        raise
                    self._look.set()
                    await asyncio.sleep(RETRY_SECONDS)

    async def _read_checkpoints(self) -> None:
        """What is read may be older than what was heard meanwhile, and is never newer than what will be.

        Of what was divided anew meanwhile it may tell how it was divided before: then it is read again.
        """
        forgotten = self._forgotten
        self.looks += 1
        rows = await self._pool.fetch("SELECT consumer, partition, partitions, position FROM checkpoints")
        if forgotten != self._forgotten:
            self._look.set()
            return
        read: dict[str, dict[int, int]] = {}
        for row in rows:
            before = self._known.get(row["consumer"], {})
            heard = before.get(row["partition"], 0) if len(before) == row["partitions"] else 0
            read.setdefault(row["consumer"], {})[row["partition"]] = max(heard, row["position"])
        self._known = read
        self._waiting = {consumer: waiting for consumer, waiting in self._waiting.items() if waiting}
        for consumer in read.keys() & self._waiting.keys():
            self._waiting[consumer].divide(len(read[consumer]))
            self._answer(consumer)
