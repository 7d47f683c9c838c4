"""A TCP proxy that stands between a client and its server, and cuts the line when it is told to."""

import asyncio
import contextlib
from urllib.parse import urlsplit

__all__ = ["Proxy"]


class Proxy:
    """Passes bytes on, until a cut is armed: before the next request reaches the server, or before its answer returns."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._parts = parts
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut_request: bytes | None = None
        self._cut_answer: bytes | None = None
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
        self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_before_request(self, containing: bytes) -> None:
        """Let the next request with these bytes never reach the server."""
        self._cut_request = containing

    def cut_before_answer(self, containing: bytes) -> None:
        """Let the next request with these bytes reach the server, and lose its answer."""
        self._cut_answer = containing

    def cut(self) -> None:
        """Lose all connections now."""
        self._cut()

    def _cut(self) -> None:
        self.cuts += 1
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, upstream}
        for task in (
            asyncio.create_task(self._requests(reader, upstream)),
            asyncio.create_task(self._answers(upstream_reader, writer)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._cut_request and self._cut_request in data:
                    self._cut_request = None
                    self._cut()
                    return
                if self._cut_answer and self._cut_answer in data:
                    self._cut_answer = None
                    self._cut_next_answer = True
                upstream.write(data)
                await upstream.drain()
            upstream.transport.abort()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._cut_next_answer:
                    self._cut_next_answer = False
                    self._cut()
                    return
                writer.write(data)
                await writer.drain()
            writer.transport.abort()
