"""The load: HTTP/1.1 by hand on connections that are kept, because a real client would take more of the machine than
the server does.

Each connection has one request under way. An answer that was not expected ends the measurement: what is refused or
fails is fast and means nothing.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct, field

from api.ports import LOOPBACK

__all__ = ["Answer", "Answers", "Conversation", "Unexpected", "ask", "converse", "p99", "pace", "saturate"]

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Unexpected(Exception):
    """An answer that says that something else is measured than what was meant."""


class Answers(Struct):
    """What came back in a window of time, and after how many seconds each."""

    seconds: float
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


def p99(latencies: list[float]) -> float:
    """The 99th percentile."""
    return sorted(latencies)[int(len(latencies) * 0.99)]


class Answer(Struct, frozen=True):
    """What came back for one request: the head with its status line, and the body."""

    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header. Raises `Unexpected` where there is none."""
        found = re.search(rb"\r\n" + re.escape(name.encode()) + rb": *([^\r]*)", self.head, re.IGNORECASE)
        if found is None:
            raise Unexpected(f"An answer without {name}: {self.head.decode(errors='replace')}")
        return found[1].decode()


Conversation: TypeAlias = Generator[bytes, Answer, None]
"""A client that asks one thing after the other: it yields a request and is sent the answer."""


class _Connection(asyncio.Protocol):
    def __init__(self, answered: Callable[["_Connection", int, bytes], None]) -> None:
        self.since = 0.0
        self.head = b""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answered = answered
        self._held = b""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport

    def send(self, request: bytes, since: float | None = None) -> None:
        self.since = time.perf_counter() if since is None else since
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        held = self._held + data
        end = held.find(b"\r\n\r\n") + 4
        found = _LENGTH.search(held, 0, end) if end > 3 else None
        if end <= 3 or len(held) < end + (int(found[1]) if found else 0):
            self._held = held
            return
        self._held = b""
        self.head = held[:end]
        self._answered(self, int(held[9:12]), held[end:])

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


class _Connections:
    """Connections to a port, and the future that fails with the first thing that was not expected."""

    def __init__(self, expected: frozenset[int], right: Callable[[bytes], bool] = lambda _body: True) -> None:
        self._expected = expected
        self._right = right
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened: list[_Connection] = []

    async def open(self, port: int, count: int, answered: Callable[[_Connection, bytes], None]) -> None:
        def looked_at(connection: _Connection, status: int, body: bytes) -> None:
            if status not in self._expected or not self._right(body):
                self.fail(Unexpected(f"{status}: {body[:500].decode(errors='replace')}"))
                return
            try:
                answered(connection, body)
            except Unexpected as error:
                self.fail(error)

        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(lambda: _Connection(looked_at), LOOPBACK, port)
            connection.lost.add_done_callback(self._lost)
            self.opened.append(connection)

    def fail(self, error: Unexpected) -> None:
        """Something was not expected; the first such thing is told."""
        if not self.failed.done():
            self.failed.set_exception(error)

    def _lost(self, _lost: asyncio.Future[None]) -> None:
        self.fail(Unexpected("A connection was closed by the server."))

    async def over(self, done: asyncio.Future[None]) -> None:
        """Come back when it is done, and close; raises what was not expected."""
        await asyncio.wait((done, self.failed), return_when=asyncio.FIRST_COMPLETED)
        if not self.failed.done():
            self.failed.set_result(None)
        for connection in self.opened:
            connection.transport.close()
        self.failed.result()


async def ask(port: int, request: bytes, *expected: int) -> bytes:
    """The body of one answer, on a connection of its own. Raises `Unexpected`, or OSError where nobody listens."""
    connections = _Connections(frozenset(expected))
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    bodies: list[bytes] = []

    def answered(_connection: _Connection, body: bytes) -> None:
        bodies.append(body)
        done.set_result(None)

    await connections.open(port, 1, answered)
    connections.opened[0].send(request)
    await connections.over(done)
    return bodies[0]


async def converse(port: int, clients: Sequence[Conversation], expected: frozenset[int]) -> None:
    """Let clients talk, each on a connection of its own, until all of them have ended."""
    connections = _Connections(expected)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    talking: dict[_Connection, Conversation] = {}

    def answered(connection: _Connection, body: bytes) -> None:
        try:
            connection.send(talking[connection].send(Answer(connection.head, body)))
        except StopIteration:
            del talking[connection]
            if not talking:
                done.set_result(None)

    await connections.open(port, len(clients), answered)
    talking.update(zip(connections.opened, clients, strict=True))
    for connection, client in list(talking.items()):
        connection.send(next(client))
    await connections.over(done)


async def saturate(
    port: int,
    requests: Iterator[bytes],
    count: int,
    expected: frozenset[int],
    *,
    warm_up: float,
    seconds: float,
    begun: Callable[[], None] = lambda: None,
    ended: Callable[[], None] = lambda: None,
    answers: Answers | None = None,
    right: Callable[[bytes], bool] = lambda _body: True,
) -> Answers:
    """Answers of a window after the warm-up, on `count` connections that each send the next request at once.

    `begun` and `ended` are called at the ends of the window; `answers` fills while it lasts, for whoever looks on. Each
    body is looked at, in the load's own time, whether it is `right`.
    """
    loop = asyncio.get_running_loop()
    connections = _Connections(expected, right)
    done: asyncio.Future[None] = loop.create_future()
    answers = answers or Answers(seconds)
    counting = closing = False
    under_way = count

    def answered(connection: _Connection, _body: bytes) -> None:
        nonlocal under_way
        if counting:
            answers.latencies.append(time.perf_counter() - connection.since)
        if not closing:
            connection.send(next(requests))
            return
        under_way -= 1
        if under_way == 0:
            done.set_result(None)

    def begin() -> None:
        nonlocal counting
        begun()
        counting = True

    def end() -> None:
        nonlocal counting, closing
        counting, closing = False, True
        ended()

    await connections.open(port, count, answered)
    for connection in connections.opened:
        connection.send(next(requests))
    loop.call_later(warm_up, begin)
    loop.call_later(warm_up + seconds, end)
    await connections.over(done)
    return answers


async def pace(
    port: int, requests: Iterator[bytes], rate: float, expected: frozenset[int], *, seconds: float, connections: int = 8
) -> Answers:
    """Answers to so many requests a second, come what may: each counts from when it was due, not from when it was sent."""
    loop = asyncio.get_running_loop()
    opened = _Connections(expected)
    done: asyncio.Future[None] = loop.create_future()
    answers = Answers(seconds)
    idle: deque[_Connection] = deque()
    due: deque[float] = deque()
    wanted = round(rate * seconds)
    asked = 0

    def answered(connection: _Connection, _body: bytes) -> None:
        answers.latencies.append(time.perf_counter() - connection.since)
        idle.append(connection)
        if len(answers.latencies) == wanted:
            done.set_result(None)
        send()

    def send() -> None:
        while due and idle:
            idle.popleft().send(next(requests), due.popleft())

    def tick() -> None:
        nonlocal asked
        while asked < wanted and (when := first + asked / rate) <= time.perf_counter():
            due.append(when)
            asked += 1
        send()
        if asked < wanted:
            loop.call_later(max(0.0, first + asked / rate - time.perf_counter()), tick)

    await opened.open(port, connections, answered)
    idle.extend(opened.opened)
    first = time.perf_counter()
    tick()
    await opened.over(done)
    return answers
