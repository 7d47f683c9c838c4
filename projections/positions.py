"""How far the read models are, known in each API process without asking, so that many can wait for their own writes."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

import asyncpg

from events.connections import is_lost
from events.gathering import Gathered
from events.tail import Wakeups
from projections.checkpoints import PROJECTED
from projections.waiting import Waiter, Waiting

__all__ = ["Positions", "Replaced", "ViewBehind"]

T = TypeVar("T")
TRIES: Final = 5

LOOK_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.2
START_SECONDS: Final = 5.0
_VIEW: Final = re.compile(r"\w+_v[0-9]+")
"""How views are named; whatever is named otherwise is a reaction."""


class ViewBehind(Exception):
    """The view has not reached the position that was asked for in the time that was given, or is still being built."""

    def __init__(self, position: int, reached: int) -> None:
        self.position = position
        self.reached = reached
        super().__init__(f"The view has reached position {reached}, not {position} yet; try again shortly.")

    @classmethod
    def being_built(cls) -> "ViewBehind":
        """Nothing serves yet: whoever asked is not told that nobody is there."""
        made = cls(0, 0)
        made.args = ("The view is still being built from the log; try again when it is.",)
        return made


class Replaced(Exception):
    """Another table has begun to serve: whoever is answered from this one may go back behind what the other has told."""


class Positions:
    """Hears of every view's checkpoint that moves, on one connection for all waiters; one a process, with the reader's rights.

    And of which table serves a view: views are named without regard to that, as `users_v2`. While someone waits, the checkpoints are also read once a second, whoever and however many wait: for announcements
    are only heard while the connection lives. A reaction announces nothing: it is known by its name, from these looks and from
    one more when somebody begins to wait for it.

    What is known here is what was said, and no proof: anyone with a login can say something, and what was said of a
    commit that a crash took back is true no longer. So an answer that reflects less than was waited for is not given, and
    `doubted`.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], pool: asyncpg.Pool) -> None:
        self.looks = 0
        """How often the checkpoints were read."""
        self._pool = pool
        self._wakeups = Wakeups(connect, PROJECTED)
        self._wakeups.on_announcement(self._heard)
        self._looks: Gathered[None, None] = Gathered(self._look_once)
        self._known: dict[str, dict[int, int]] = {}
        self._serving: dict[str, str] = {}
        self._views: dict[str, str] = {}
        self._read = asyncio.Event()
        self._waiting: dict[str, Waiting] = {}
        self._forgotten = 0
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and know where everything stands; if that cannot be read soon, views are behind until it can."""
        self._task = asyncio.create_task(self._keep_looking(), name="positions")
        await self._wakeups.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await self._read.wait()

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

    def serving(self, view: str) -> str:
        """The table that serves a view. Raises `ViewBehind` while the first one is being built."""
        table = self._serving.get(view)
        if table is None:
            raise ViewBehind.being_built()
        return table

    async def look(self) -> None:
        """Know where everything stands, and which tables serve, as of now at least."""
        await self._looks.answer(None)

    async def _look_once(self, _asked: object) -> dict[None, None]:
        await self._read_checkpoints()
        return {None: None}

    def doubted(self, view: str) -> None:
        """Forget where a view is said to stand, and read it."""
        self._known.pop(self._consumer(view), None)
        self._forgotten += 1
        self._look.set()

    async def ask(self, question: Callable[..., Awaitable[T]], *views: str) -> T:
        """The answer from the tables that serve these views; asked again where others have begun to, heard of or not.

        The question raises `Replaced` then. Raises `ViewBehind` while the first table of a view is being built.
        """
        for _ in range(TRIES):
            try:
                return await question(*map(self.serving, views))
            except Replaced:
                await self.look()
        raise ViewBehind.being_built()

    def position(self, view: str, subject_id: UUID | None = None) -> int:
        """Where a view stands, as far as is known here: for one subject, or (its least partition) for all."""
        partitions = self._partitions(view)
        if not partitions:
            return 0
        if subject_id is None:
            return min(partitions.values())
        return partitions.get(subject_id.bytes[15] % len(partitions), 0)

    def _partitions(self, view: str) -> dict[int, int]:
        return self._known.get(self._consumer(view), {})

    def _consumer(self, view: str) -> str:
        """The table that serves a view, or nothing while none does; a reaction is one by itself."""
        return self._serving.get(view, "") if _VIEW.fullmatch(view) else view

    async def wait(self, view: str, subject_id: UUID | None, position: int, timeout: float) -> int:  # noqa: ASYNC109 - one error for all who wait in vain
        """Return a view's or a reaction's position once it is at least `position`, for one subject or (None) for all.

        Those who are due at once return in the order in which they came. Raises `ViewBehind` after `timeout` seconds.
        """
        if self.position(view, subject_id) < position and not _VIEW.fullmatch(view):
            await self.look()
        if (reached := self.position(view, subject_id)) >= position:
            return reached
        waiter = Waiter(None if subject_id is None else subject_id.bytes[15], position)
        waiting = self._waiting_for(view)
        waiting.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter.reached
        except TimeoutError:
            raise ViewBehind(position, self.position(view, subject_id)) from None
        finally:
            waiting.discard(waiter)
        return max(position, self.position(view, subject_id))

    def _waiting_for(self, view: str) -> Waiting:
        if view not in self._waiting:
            made = self._waiting[view] = Waiting()
            made.divide(len(self._partitions(view)))
        return self._waiting[view]

    def _heard(self, payload: str) -> None:
        """`users_v4:0:17`: partition 0 stands at 17. `users_v4`: it is divided anew, or serves. Nothing: much may have been missed."""
        consumer, _, numbers = payload.partition(":")
        partition, _, position = numbers.partition(":")
        if position and (partitions := self._known.get(consumer)) and int(partition) in partitions:
            if int(position) > partitions[int(partition)]:
                partitions[int(partition)] = int(position)
                if (view := self._views.get(consumer)) is not None:
                    self._answer(view, int(partition))
            return
        if not position:  # what is being read now may be of before
            self._forgotten += 1
        if payload:
            self._known.pop(consumer, None)
        else:
            self._known = {}
        self._look.set()

    def _answer(self, view: str, moved: int | None = None) -> None:
        """Those who are due in a partition that moved, or in any."""
        waiting = self._waiting.get(view)
        known = self._partitions(view)
        if not waiting or not known:
            return
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
        """What is read may be older than what was heard meanwhile; what was heard before is in it, if it was true.

        Of what was divided anew meanwhile it may tell how it was divided before: then it is read again.
        """
        forgotten = self._forgotten
        heard_before = {consumer: dict(partitions) for consumer, partitions in self._known.items()}
        self.looks += 1
        serving = await self._pool.fetch(
            "SELECT name || '_v' || version AS view, serving FROM read_models WHERE serving IS NOT NULL"
        )
        rows = await self._pool.fetch("SELECT consumer, partition, partitions, position FROM checkpoints")
        if forgotten != self._forgotten:
            self._look.set()
            return
        read: dict[str, dict[int, int]] = {}
        for row in rows:
            consumer, partition = row["consumer"], row["partition"]
            known = self._known.get(consumer, {})
            heard = known.get(partition, 0) if len(known) == row["partitions"] else 0
            if heard == heard_before.get(consumer, {}).get(partition):
                heard = 0
            read.setdefault(consumer, {})[partition] = max(heard, row["position"])
        self._known = read
        self._serving = {row["view"]: row["serving"] for row in serving}
        self._views = {table: view for view, table in self._serving.items()}
        self._waiting = {view: waiting for view, waiting in self._waiting.items() if waiting}
        for view, waiting in self._waiting.items():
            waiting.divide(len(self._partitions(view)))
            self._answer(view)
        self._read.set()
