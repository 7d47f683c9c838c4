"""Answers on a grid of moments."""

import asyncio
import random
import statistics
import time
from typing import Any

import pytest

from api.even_answers import EvenAnswers
from tests.api.site import PASSWORD, served


@pytest.fixture
def grid():
    made = EvenAnswers(10)
    made.start()
    yield made
    made.stop()


async def late(grid: EvenAnswers, took: float) -> float:
    """How long after the point that follows `took` seconds of work a request is released; both in seconds."""
    began = time.perf_counter() - took
    await grid.point(began)
    return (time.perf_counter() - began) % 0.010


async def test_comes_back_at_a_point_and_never_before_it(grid):
    for _ in range(100):
        took = random.uniform(0.0001, 0.0295)
        began = time.perf_counter() - took
        await grid.point(began)
        assert time.perf_counter() - began > (1 + took // 0.010) * 0.010 - 1e-6


@pytest.mark.quiet
async def test_when_it_comes_back_does_not_tell_what_the_work_took(grid):
    lateness: dict[float, list[float]] = {took: [] for took in (0.0021, 0.0024, 0.0029, 0.0123)}
    for _ in range(60):  # in turns, so that a busy machine is as busy for all
        for took, times in lateness.items():
            times.append(await late(grid, took))
    soonest = [min(times) for times in lateness.values()]
    assert max(map(statistics.median, lateness.values())) < 0.005
    # Timers of the loop would have shown the four apart by the milliseconds' fractions: 0.1, 0.4, 0.9.
    assert max(soonest) - min(soonest) < 0.0004


async def test_when_it_comes_back_is_scattered_by_more_than_a_busy_machine_tells(grid):
    late_by = sorted([await late(grid, 0.0021) for _ in range(60)])
    assert late_by[45] - late_by[15] > 0.0005


async def test_many_wait_for_their_own_points(grid):
    began = [time.perf_counter() - random.uniform(0, 0.05) for _ in range(200)]
    await asyncio.gather(*(grid.point(moment) for moment in began))
    assert time.perf_counter() - min(began) < 1


async def test_whoever_goes_away_is_not_waited_for(grid):
    gone = asyncio.create_task(grid.point(time.perf_counter()))
    await asyncio.sleep(0)
    gone.cancel()
    await grid.point(time.perf_counter())


async def test_those_who_wait_are_released_when_it_ends():
    grid = EvenAnswers(1000)
    grid.start()
    waiting = asyncio.create_task(grid.point(time.perf_counter()))
    await asyncio.sleep(0)
    grid.stop()
    async with asyncio.timeout(0.5):
        await waiting


async def answered(app: Any, path: str, body: bytes) -> tuple[int, float]:
    """The status, and seconds until it was sent."""
    sent: list[tuple[int, float]] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append((message["status"], time.perf_counter() - began))

    headers = [(b"host", b"muster.example"), (b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(body)).encode()))
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "https", "path": path}
    scope |= {"raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers}
    scope |= {"client": ("127.0.0.1", 1234), "server": ("127.0.0.1", 80), "extensions": {}}
    began = time.perf_counter()
    await app(scope, receive, send)
    return sent[0]


@pytest.mark.quiet
@pytest.mark.parametrize(
    ("path", "status"), [("/v1/users", 202), ("/v1/sessions", 401)], ids=["registering", "a refused sign-in"]
)
async def test_answers_about_addresses_fall_on_the_grid(database, path, status):
    async with served(database, even_answers_milliseconds=100) as site:
        rest = []
        for number in range(12):
            body = f'{{"email":"person{number}@example.com","password":"{PASSWORD}"}}'.encode()
            told, seconds = await answered(site.app, path, body)
            assert told == status
            assert seconds >= 0.1
            rest.append(seconds % 0.1)
    assert statistics.median(rest) < 0.03


@pytest.mark.quiet
@pytest.mark.real_hashes
@pytest.mark.parametrize("path", ["/v1/users", "/v1/sessions"])
async def test_points_are_counted_without_the_hash(database, path):
    """With it, how long that has happened to take would decide which point is met by what is done beside it."""
    async with served(database, even_answers_milliseconds=100) as site:
        began = time.perf_counter()
        await site.app.process.hasher.hash(PASSWORD)
        least = (time.perf_counter() - began) / 2
        for number in range(3):
            body = f'{{"email":"person{number}@example.com","password":"{PASSWORD}"}}'.encode()
            _, seconds = await answered(site.app, path, body)
            assert seconds >= 0.1 + least


async def test_a_sign_in_that_is_done_does_not_wait(database):
    async with served(database, even_answers_milliseconds=1000) as site:
        body = f'{{"token":"{site.sign_up_token}","email":"root@example.com","password":"{PASSWORD}"}}'.encode()
        assert (await answered(site.app, "/v1/administrators", body))[0] == 201
        body = f'{{"email":"root@example.com","password":"{PASSWORD}"}}'.encode()
        times = [await answered(site.app, "/v1/sessions", body) for _ in range(5)]
        assert {status for status, _ in times} == {201}
        assert statistics.median(seconds for _, seconds in times) < 0.5


@pytest.mark.quiet
async def test_none_waits_when_it_is_off(database):
    async with served(database, even_answers_milliseconds=0) as site:
        rest = []
        for number in range(20):
            body = f'{{"email":"person{number}@example.com","password":"short"}}'.encode()
            status, seconds = await answered(site.app, "/v1/users", body)
            assert status == 400
            rest.append(seconds)
    assert statistics.median(rest) < 0.010
