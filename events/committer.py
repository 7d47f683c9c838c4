"""Group commit: the commands that wait while one transaction commits become the next transaction.

No timer: the round trip of the commit before is the window in which a batch gathers. A conflict refuses its command
alone; any other error splits the batch until it is alone with its cause. A connection lost in mid-commit is fenced
(the lost backend is seen ended) before its batch is looked for, because a look alone can find nothing and the
transaction still commit later.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import asyncpg
from msgspec import Struct

from events.append import Append
from events.appending import APPEND, answers, arguments, recorded_position
from events.connections import is_lost, is_unavailable
from events.errors import QueueFull, StoreUnavailable

__all__ = ["Committer"]

MOST_IN_BATCH: Final = 512
RECONNECT_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)


class _Waiting(Struct, eq=False):
    append: Append
    answer: asyncio.Future[int]
    since: float


class _Backend(Struct, frozen=True):
    """A server process, told from a later one with the same pid by when it started."""

    pid: int
    started: object


class Committer:
    """Commits `Append`s on a connection of its own. One a process: two on one store do not beat one."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], queue_size: int = 4096) -> None:
        self._connect = connect
        self._queue_size = queue_size
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._backend: _Backend | None = None
        self.observe: Callable[[int, float, float], None] = lambda _size, _seconds, _waited: None
        """Told of each commit: how many commands it had, how long it took, and how long the first of them had waited."""

    @property
    def waiting(self) -> int:
        """How many commands wait for the next transaction."""
        return len(self._queue)

    async def start(self) -> None:
        """Connect and begin to commit. Raises asyncpg's or OSError when the store is not there."""
        await self._open()
        self._task = asyncio.create_task(self._run(), name="committer")

    async def stop(self) -> None:
        """Commit what waits, then close. Nothing is taken from now on."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._connection.close()

    async def commit(self, append: Append) -> int:
        """Record a command; the position of its last event, or of the log's end when it has none.

        Returns when the record is on disk. A caller that is cancelled does not cancel its write. Raises `Conflict` when
        an expectation does not hold, `QueueFull` or `StoreUnavailable` when it cannot be taken, and asyncpg's error
        when the database refuses the data.
        """
        if self._closing:
            msg = "This process is shutting down; try again."
            raise StoreUnavailable(msg)
        if len(self._queue) >= self._queue_size:
            raise QueueFull
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        self._queue.append(_Waiting(append, answer, loop.time()))
        self._wake.set()
        return await answer

    async def _run(self) -> None:
        while not (self._closing and not self._queue):
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._settle(self._next_batch())

    def _next_batch(self) -> list[_Waiting]:
        """The longest run of waiting commands that touch nothing in common; the others keep their order."""
        batch: list[_Waiting] = []
        touched: set[object] = set()
        later: list[_Waiting] = []
        while self._queue and len(batch) < MOST_IN_BATCH:
            waiting = self._queue.popleft()
            touches = waiting.append.touches()
            (batch if touched.isdisjoint(touches) else later).append(waiting)
            touched |= touches
        self._queue.extendleft(reversed(later))
        return batch

    async def _settle(self, batch: list[_Waiting]) -> None:
        """Bring every command of the batch to its answer."""
        started = asyncio.get_running_loop().time()
        try:
            connection = self._connection
            if connection is None or connection.is_closed():
                await self._replace_connection(batch)
                return
            appends = [waiting.append for waiting in batch]
            row = await connection.fetchrow(APPEND, *arguments(appends))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is some command's answer
            await self._settle_failure(batch, error)
            return
        self.observe(len(batch), asyncio.get_running_loop().time() - started, started - batch[0].since)
        for waiting, answer in zip(batch, answers(appends, *row), strict=True):
            _answer(waiting, answer)

    async def _settle_failure(self, batch: list[_Waiting], error: Exception) -> None:
        connection = self._connection
        if connection is None or connection.is_closed() or is_lost(error):
            await self._replace_connection(batch)
        elif len(batch) > 1:
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])
        elif is_unavailable(error):
            refusal = StoreUnavailable(f"The store cannot take commands now: {error}")
            refusal.__cause__ = error
            _answer(batch[0], refusal)
        else:
            _answer(batch[0], error)

    async def _replace_connection(self, batch: list[_Waiting]) -> None:
        """Fence the lost backend, look what it did, and commit what it did not."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        lost = self._backend
        for attempt in range(10_000):
            if attempt:
                await asyncio.sleep(RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS)) - 1])
            try:
                await self._open()
                assert self._connection is not None
                if lost is not None:
                    await _fence(self._connection, lost)
                missing = await self._answer_found(self._connection, batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the batch's answer
                if not is_unavailable(error):
                    _answer_all(batch, error)
                    return
                if self._closing and attempt >= len(RECONNECT_SECONDS):
                    msg = "The connection was lost in mid-commit and this process is shutting down: the outcome is unknown."
                    _answer_all(batch, StoreUnavailable(msg))
                    return
                continue
            self._queue.extendleft(reversed(missing))
            self._wake.set()
            return

    async def _answer_found(self, connection: asyncpg.Connection, batch: Iterable[_Waiting]) -> list[_Waiting]:
        missing = []
        for waiting in batch:
            position = await recorded_position(connection, waiting.append)
            if position is None:
                missing.append(waiting)
            else:
                _answer(waiting, position)
        return missing

    async def _open(self) -> None:
        connection = await self._connect()
        # Durability is always on, whatever the server's default; a stricter default, for replicas, stays.
        await connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        row = await connection.fetchrow("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        self._connection, self._backend = connection, _Backend(row["pid"], row["backend_start"])


async def _fence(connection: asyncpg.Connection, lost: _Backend) -> None:
    """Return once the lost backend is seen ended: only then is what it left on disk all that it will ever leave."""
    while await connection.fetchval(
        "SELECT pg_terminate_backend(pid, 1000) IS NOT NULL FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2",
        lost.pid,
        lost.started,
    ):
        continue


def _answer(waiting: _Waiting, answer: int | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(answer, int):
        waiting.answer.set_result(answer)
        return
    waiting.answer.set_exception(answer)
    waiting.answer.exception()  # a caller that went away never asks; that is not an error of its own


def _answer_all(batch: Iterable[_Waiting], error: Exception) -> None:
    for waiting in batch:
        _answer(waiting, error)
