"""Asking over a socket: requests as bytes, answers with the time to their last byte, and what is the same in them."""

import asyncio
import json
import re
from time import perf_counter_ns
from typing import Any, Final, Self

from msgspec import Struct

__all__ = ["Answer", "Wire", "request"]

VOLATILE: Final = (b"date:", b"traceparent:")
"""Headers that are others each time, whoever is asked about; X-Request-Id is not, since we give it."""
COUNTING: Final = (b"ratelimit:", b"etag:", b"event-position:")
"""Headers with numbers that go on from answer to answer: what the asker's own limit has left, and the asker's own stream."""
ID: Final = re.compile(rb'"id":"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"')


def request(method: str, path: str, body: Any = None, token: str | None = None) -> bytes:
    """The bytes of a request with a body in JSON, or with none."""
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: muster.example\r\nX-Request-Id: same\r\nContent-Length: {len(content)}\r\n"
    )
    if content:
        head += "Content-Type: application/json\r\n"
    if token is not None:
        head += f"Authorization: Bearer {token}\r\n"
    return head.encode() + b"\r\n" + content


class Answer(Struct, frozen=True):
    """The bytes of an answer, and how long after the request its last one came."""

    raw: bytes
    nanoseconds: int

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.raw[9:12])

    @property
    def plain(self) -> bytes:
        """The answer without what is another each time: volatile headers, numbers that go on, a registration's id."""
        head, _, body = self.raw.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(VOLATILE)]
        said = [re.sub(rb"\d+", b"", line) if line.lower().startswith(COUNTING) else line for line in lines]
        return b"\r\n".join(said) + b"\r\n\r\n" + ID.sub(b'"id":""', body)


class Wire(asyncio.Protocol):
    """One connection that is kept alive, on which one request at a time is asked."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._answer: asyncio.Future[Answer] | None = None
        self._began = 0
        self._length = -1

    @classmethod
    async def to(cls, port: int) -> Self:
        """A connection to a server on the loopback address."""
        _, made = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return made

    def close(self) -> None:
        """End it."""
        self._transport.close()

    async def ask(self, request: bytes) -> Answer:
        """Send a request and come back with its answer. Raises ConnectionError when the server hangs up instead."""
        self._received, self._length = bytearray(), -1
        self._answer = asyncio.get_running_loop().create_future()
        self._began = perf_counter_ns()
        self._transport.write(request)
        return await self._answer

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        ended = perf_counter_ns()
        self._received += data
        if self._length < 0:
            self._length = _length(self._received)
        if 0 <= self._length <= len(self._received) and self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(bytes(self._received), ended - self._began))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("The server hung up."))


def _length(received: bytearray) -> int:
    """How many bytes the whole answer has, -1 while its head is not here."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return -1
    found = re.search(rb"\r\ncontent-length: *(\d+)", received[:end], re.IGNORECASE)
    assert found or received[9:12] == b"204", received
    return end + 4 + (int(found[1]) if found else 0)
