"""What is done to the wire."""

import asyncio
import contextlib
import json
import time
from typing import Any

import pytest

from tests.hostile.conftest import Hasty
from tests.support import until

HOST = b"Host: muster.example\r\n"
CLOSE = b"Connection: close\r\n"
MANY = 60


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head.lower()
    told: dict[str, Any] = json.loads(body)
    return told


async def test_a_request_is_answered_over_a_socket(wire):
    answer = await wire.said(b"GET /livez HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert status(answer) == 200
    assert b"\r\nserver:" not in answer.lower()


@pytest.mark.parametrize(
    "host",
    [b"evil.example:99999999", b"", b"evil example", b"a/b", b'"><script>', b"x" * 300, b"[::1", b"evil.example\tx"],
)
async def test_a_forged_host_is_refused(wire, host):
    answer = await wire.said(b"GET /livez HTTP/1.1\r\nHost: " + host + b"\r\n" + CLOSE + b"\r\n")
    assert status(answer) == 400
    assert problem(answer)["status"] == 400


async def test_two_hosts_or_none_are_refused(wire):
    for hosts in (HOST + HOST, b""):
        answer = await wire.said(b"GET /livez HTTP/1.1\r\n" + hosts + CLOSE + b"\r\n")
        assert status(answer) == 400


async def test_a_forged_host_is_never_repeated(wire):
    answer = await wire.said(
        b"POST /v1/users HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n"
        + CLOSE
        + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert status(answer) == 400
    assert b"evil" not in answer
    assert problem(answer)["type"].startswith("https://muster.example/")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nbroken header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
async def test_what_is_no_http_is_refused_or_hung_up_on(wire, raw):
    answer = await wire.said(raw)
    assert status(answer) in (0, 400, 404)
    assert b"Traceback" not in answer


async def test_headers_without_end_are_cut_off(wire):
    line = b"X-Padding: " + b"x" * 8000 + b"\r\n"
    answer = await wire.said(b"GET /livez HTTP/1.1\r\n" + HOST, *[line] * 12)
    assert status(answer) in (0, 400)
    answer = await wire.said(b"GET /livez HTTP/1.1\r\nX-Long: ", *[b"x" * 20_000] * 6)
    assert status(answer) in (0, 400)


DAWDLERS = {
    "nothing": [b""],
    "empty lines": [b"\r\n"] * 10,
    "a slow line": [b"G", b"E", b"T", b" ", b"/", b"l", b"i", b"v"],
    "slow headers": [b"GET /livez HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 20],
    "a slow body": [
        b"POST /v1/users HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n",
        *[b"x"] * 20,
    ],
    "after an answer": [b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n", *[b"\r\n"] * 10],
}


async def test_who_dawdles_is_hung_up_on(wire):
    async def kept_for(parts: list[bytes]) -> float:
        began = time.monotonic()
        await wire.said(*parts, pause=0.1, wait=10)
        return time.monotonic() - began

    kept = dict(zip(DAWDLERS, await asyncio.gather(*map(kept_for, DAWDLERS.values())), strict=True))
    assert {who: seconds for who, seconds in kept.items() if seconds >= 4} == {}


async def test_a_body_of_nine_megabytes_is_refused_before_it_is_sent(wire):
    head = b"POST /v1/users HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 9000000\r\n\r\n"
    answer = await wire.said(head, b"{")
    assert status(answer) == 413
    assert problem(answer)["type"].endswith("/body-too-large")


async def test_chunks_without_end_are_refused(wire):
    head = (
        b"POST /v1/users HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = await wire.said(head, *[b"4000\r\n" + b"x" * 0x4000 + b"\r\n"] * 64)
    assert status(answer) == 413


async def test_whoever_goes_away_in_the_middle_of_a_body_harms_nobody(wire, site):
    before = await site.head()
    head = b"POST /v1/users HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"

    async def leave():
        _, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    await asyncio.gather(*(leave() for _ in range(20)))
    assert status(await wire.said(b"GET /livez HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")) == 200
    assert await site.head() == before


async def test_who_does_not_read_the_answers_is_hung_up_on(wire):
    """They would be kept for as long as the connection is; the socket holds some megabytes, which are sent in any case."""
    before = Hasty.lost
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port, limit=1024)
    ask = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
    writer.write(ask * MANY)
    await until(lambda: _lost_after(before))
    answers = b""
    with contextlib.suppress(ConnectionError):
        while more := await reader.read(65536):
            answers += more
    writer.close()
    assert answers.count(b"HTTP/1.1 200 OK") < MANY


async def _lost_after(before: int) -> bool:
    return Hasty.lost > before


async def test_one_connection_serves_one_request_after_another(wire):
    ask = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    answer = await wire.said(ask + ask + b"GET /livez HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert answer.count(b'{"status":"live"}') == 3
