"""A TCP proxy that stands between a client and its server, and holds or cuts the line when it is told to."""

import asyncio
import contextlib
from urllib.parse import urlsplit

from msgspec import Struct

__all__ = ["Proxy"]


class _Cut(Struct):
    """Where the line will be cut: at the first piece with these bytes, once so many of them have passed."""

    containing: bytes
    after: int

    def due(self, data: bytes) -> bool:
        if self.containing not in data:
            return False
        self.after -= 1
        return self.after < 0


class _Line(Struct, eq=False):
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """Passes bytes on, until a cut is armed: before the next request reaches the server, or before its answer returns."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._parts = parts
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self._held: set[_Line] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut_request: _Cut | None = None
        self._cut_answer: _Cut | None = None
        self._cut_next_answer = False
        self.cuts = 0

    async def start(self) -> str:
        """Listen; the URL through the proxy."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def lines(self) -> int:
        """How many connections pass through now."""
        return len(self._lines)

    @property
    def holding(self) -> bool:
        """Whether a request of a connection that still stands is being held."""
        return not self.is_open and not self._held.isdisjoint(self._lines)

    @property
    def is_open(self) -> bool:
        """Whether requests pass."""
        return self._open.is_set()

    def hold(self) -> None:
        """Hold requests, those of new connections too, until `open`. Answers pass."""
        self._open.clear()

    def open(self) -> None:
        """Let requests pass, first those that were held."""
        self._open.set()

    def cut_before_request(self, containing: bytes, after: int = 0) -> None:
        """Let the next request with these bytes never reach the server, once `after` others have."""
        self._cut_request = _Cut(containing, after)

    def cut_before_answer(self, containing: bytes, after: int = 0) -> None:
        """Let the next request with these bytes reach the server, and lose its answer, once `after` others have passed."""
        self._cut_answer = _Cut(containing, after)

    def disarm(self) -> None:
        """Forget the cuts that were to come."""
        self._cut_request = self._cut_answer = None
        self._cut_next_answer = False

    def cut(self) -> None:
        """Lose all connections now."""
        self.cuts += 1
        for line in list(self._lines):
            self._hang_up(line)

    def _hang_up(self, line: _Line) -> None:
        self._lines.discard(line)
        line.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(writer, upstream)
        self._lines.add(line)
        for task in (
            asyncio.create_task(self._requests(line, reader)),
            asyncio.create_task(self._answers(line, upstream_reader)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(self, line: _Line, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._pass_gate(line)
                if line not in self._lines:
                    return
                if self._cut_request is not None and self._cut_request.due(data):
                    self._cut_request = None
                    self.cut()
                    return
                if self._cut_answer is not None and self._cut_answer.due(data):
                    self._cut_answer = None
                    self._cut_next_answer = True
                line.server.write(data)
                await line.server.drain()
        self._hang_up(line)

    async def _pass_gate(self, line: _Line) -> None:
        self._held.add(line)
        try:
            await self._open.wait()
        finally:
            self._held.discard(line)

    async def _answers(self, line: _Line, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._cut_next_answer:
                    self._cut_next_answer = False
                    self.cut()
                    return
                line.client.write(data)
                await line.client.drain()
        self._hang_up(line)
