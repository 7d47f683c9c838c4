"""Asking over a socket, against a server that says what it is told to say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.enumeration.wire import Answer, Wire, request

HEAD = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n"


@asynccontextmanager
async def server_that_says(*parts: bytes) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"}") and parts:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def said(head: bytes = HEAD, body: bytes = b"{}") -> bytes:
    return Answer(head + b"\r\n" + body, 1).plain


def test_a_request_says_how_long_its_body_is():
    asked = request("POST", "/v1/users", {"email": "ä@example.com"}, "t")
    assert asked.endswith(b'\r\n\r\n{"email": "\xc3\xa4@example.com"}')
    assert b"\r\nContent-Length: 27\r\n" in asked
    assert b"\r\nAuthorization: Bearer t\r\n" in asked


async def test_an_answer_that_comes_in_parts_is_one_answer():
    async with server_that_says(HEAD, b"content-length: 6\r\n\r\nab", b"cdef") as port:
        wire = await Wire.to(port)
        for _ in range(2):
            answer = await wire.ask(request("POST", "/", {}))
            assert answer.status == 202
            assert answer.raw.endswith(b"\r\n\r\nabcdef")
            assert answer.nanoseconds > 0
        wire.close()


async def test_says_so_when_the_server_hangs_up():
    async with server_that_says() as port:
        wire = await Wire.to(port)
        with pytest.raises(ConnectionError):
            await wire.ask(request("POST", "/", {}))


def test_what_is_another_each_time_does_not_count():
    one, other = b'{"id":"0190a5d0-1111-7abc-8def-0123456789ab"}', b'{"id":"0190a5d0-2222-7abc-9def-0123456789ab"}'
    assert said(HEAD + b"Date: now\r\ntraceparent: 1\r\n", one) == said(HEAD + b"date: then\r\n", other)
    assert said(HEAD + b'RateLimit: "a";r=9;t=60\r\n') == said(HEAD + b'RateLimit: "a";r=10;t=59\r\n')


def test_everything_else_counts():
    plain = said()
    assert said(body=b'{"id":"0190a5d0-1111-4abc-8def-0123456789ab"}') != plain  # no id that we would make
    assert said(HEAD.replace(b"202", b"200")) != plain
    assert said(HEAD + b"retry-after: 3\r\n") != plain
    assert said(HEAD + b'ratelimit: "a";r=9;t=60\r\n') != said(HEAD + b'ratelimit: "b";r=9;t=60\r\n')
