"""Follows the log: woken by LISTEN, caught up by position, so that a wake-up that is lost loses no event."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Final

import asyncpg

from events.connections import TROUBLE, is_lost
from events.rows import log_rows

__all__ = ["CHANNEL", "Wakeups", "tail"]

CHANNEL: Final = "stored_events"
"""Where each commit is announced; the library's own subscribers listen there too."""

RECONNECT_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
PAGE: Final = 500


class Wakeups:
    """One listening connection for all who wait in this process; it is opened again whenever it is lost.

    Waiters are also woken when it is lost and after each reconnection, for what was announced meanwhile was not heard.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], channel: str = CHANNEL) -> None:
        self._connect = connect
        self._channel = channel
        self._waiting: set[asyncio.Event] = set()
        self._heard: list[Callable[[str], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    async def start(self) -> None:
        """Listen; returns once announcements are heard."""
        self._task = asyncio.create_task(self._listen(), name=f"listen {self._channel}")
        await self.connected.wait()

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextlib.contextmanager
    def woken(self) -> Any:
        """An `asyncio.Event` that is set at every announcement while the context is open; clear it before looking."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)

    def on_announcement(self, heard: Callable[[str], None]) -> None:
        """Call this with the payload of every announcement, and with "" when the connection is lost and when it is back."""
        self._heard.append(heard)

    def _wake(self, payload: str) -> None:
        for event in self._waiting:
            event.set()
        for heard in self._heard:
            heard(payload)

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                connection = await self._connect()
            except TROUBLE:  # whatever it is, it may pass
                await asyncio.sleep(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])
                failures += 1
                continue
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
            try:
                await connection.add_listener(self._channel, lambda *announced: self._wake(announced[-1]))
                failures = 0
                self.connected.set()
                self._wake("")
                await lost.wait()
                self._wake("")  # from now on nothing is heard, and what was may have been lost with the server
            except TROUBLE:
                continue
            finally:
                self.connected.clear()
                connection.terminate()


async def tail(
    pool: asyncpg.Pool, wakeups: Wakeups, *, after: int, topics: Sequence[str] | None = None, page: int = PAGE
) -> AsyncGenerator[list[Any], None]:
    """Pages of rows after a position, for ever: first what is there, then each commit as it comes, in order, each once.

    A question that fails because the server is away is asked again.
    """
    with wakeups.woken() as woken:
        while True:
            woken.clear()
            try:
                rows = await log_rows(pool, after=after, limit=page, topics=topics)
            except Exception as error:
                if not is_lost(error):
                    raise
                await asyncio.sleep(RECONNECT_SECONDS[1])
                continue
            if rows:
                after = rows[-1]["notification_id"]
                yield rows
            if len(rows) < page:
                await woken.wait()
