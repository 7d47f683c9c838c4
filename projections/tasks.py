"""The tasks of a worker process: partitions held, views built, mails sent, robots run, and what was lost found again.

A task holds one partition for a slice of time and kicks its successor, so that any number of workers share the work. What
is lost on the way (a queue flushed, a worker killed) each worker's heartbeat finds in the database and kicks again; while
the queue is away, a worker keeps what it holds.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any, Final

import asyncpg
import structlog

from events.tail import Wakeups
from projections.asked import AskedFor
from projections.causes import told
from projections.consumer import Consumer
from projections.heartbeat import GAP_SECONDS, end_stuck_holders, unheld
from projections.queue import Queue
from projections.reactions.deliveries import DUE_AFTER_SECONDS, any_due
from projections.reactions.reaction import Reaction
from projections.reactions.robots import Robots
from projections.reactions.sending import Sending
from projections.slices import Slices
from projections.tables import Tables

__all__ = ["Tasks"]

HOLD: Final = "hold"
BUILD: Final = "build"
SEND: Final = "send"
RUN: Final = "run"

BEAT_SECONDS: Final = 0.5
DRAIN_SECONDS: Final = 1.0

_log = structlog.get_logger()


class Tasks:
    """What one process does, and what makes sure that it is done."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        wakeups: Wakeups,
        queue: Queue,
        sending: Sending,
        robots: Robots,
        tables: Tables,
        asked: AskedFor,
        reactions: Iterable[Consumer],
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._sending = sending
        self._robots = robots
        self._tables = tables
        self._asked = asked
        self._reactions = {reaction.name: reaction for reaction in reactions}
        self._slices = Slices(pool, wakeups, tables.keys, self._stepped)
        self._doing: set[asyncio.Task[Any]] = set()

        # taskiq takes functions and no methods, and logs a task that is cancelled at the end as an error.
        async def hold(consumer: str, partition: int) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await self.hold(consumer, partition)

        async def send() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await self.send()

        async def run(robot: str) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await self.run(robot)

        async def build(view: str) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await self.build(view)

        queue.register(HOLD, hold)
        queue.register(BUILD, build)
        queue.register(SEND, send)
        queue.register(RUN, run)

    async def hold(self, consumer: str, partition: int) -> None:
        """Hold a partition for a slice, then kick the successor; for longer only while there is no queue to kick."""
        with self._noted():
            known = self._consumers().get(consumer)
            if known is None:
                return
            while await self._slices.hold(known, partition):
                if await self._queue.kick(HOLD, consumer, partition) or self._slices.stopping:
                    return

    async def build(self, view: str) -> None:
        """Build the table of a view anew, as was asked, unless another worker does."""
        with self._noted():
            await self._asked.build(view)

    def _consumers(self) -> dict[str, Consumer]:
        return {**self._tables.projectors, **self._reactions}

    async def send(self) -> None:
        """Send what is due."""
        with self._noted():
            try:
                await self._sending.run()
            except* Exception as errors:  # noqa: BLE001 - whatever it is, the heartbeat has it tried again
                _log.warning("sending failed", error=told(errors.exceptions[0]))

    async def run(self, robot: str) -> None:
        """Run a robot, whose turn it is."""
        with self._noted():
            await self._robots.run(robot)

    @contextlib.contextmanager
    def _noted(self) -> Any:
        """Tasks that the receiver started are kept alive and waited for even when the receiver has failed."""
        task = asyncio.current_task()
        assert task is not None
        self._doing.add(task)
        try:
            yield
        finally:
            self._doing.discard(task)

    def _stepped(self, consumer: Consumer, _events: int) -> None:
        if isinstance(consumer, Reaction):
            self._begin(self._have_sent_when_due())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _have_sent_when_due(self) -> None:
        """What was just written down is due in a moment; should this worker end before, another one finds it."""
        await asyncio.sleep(DUE_AFTER_SECONDS)
        await self._have_sent()

    async def _have_sent(self) -> None:
        """By the run under way in this process, by whichever worker takes the task, or else here."""
        if not self._sending.possible or not await self._queue.kick(SEND):
            await self.send()

    async def beat(self) -> None:
        """Look for what was lost and what is due, again and again."""
        failing = False
        while True:
            try:
                await self._look()
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next beat looks again
                if not failing:
                    _log.warning("heartbeat failed", error=told(error))
                failing = True
            await asyncio.sleep(BEAT_SECONDS)

    async def _look(self) -> None:
        await self._tables.look(self._pool)
        consumers = self._consumers()
        lost = await unheld(self._pool, consumers)
        if lost:
            await asyncio.sleep(GAP_SECONDS)
            lost &= await unheld(self._pool, consumers)
        for consumer, partition in lost:
            if not await self._queue.kick(HOLD, consumer, partition):
                self._begin(self.hold(consumer, partition))
        if self._sending.possible and await any_due(self._pool):
            await self._have_sent()
        for robot in await self._robots.take_turns():
            if not await self._queue.kick(RUN, robot):
                self._begin(self.run(robot))
        for view in await self._asked.to_do(self._pool):
            if not await self._queue.kick(BUILD, view):
                self._begin(self.build(view))
        if ended := await end_stuck_holders(self._pool, consumers):
            _log.warning("holders were stuck", ended=ended)

    async def work(self, finished: asyncio.Event, most_tasks: int) -> None:
        """Do all of that until finished, then end what is under way within some 1.5 seconds."""
        heart = asyncio.create_task(self.beat(), name="heartbeat")
        receiving = asyncio.create_task(self._queue.receive(finished, most_tasks), name="receiver")
        await finished.wait()
        heart.cancel()
        receiving.cancel()  # it would wait for another task; what it had taken and not begun, others find
        self._slices.stop()
        self._robots.stop()
        if self._doing:
            await asyncio.wait(list(self._doing), timeout=DRAIN_SECONDS)
        left = [heart, receiving, *self._doing]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
