"""Reading one's own writes: 64 people who write and demand what they wrote, from any of several API processes."""

import asyncio
import random
import re
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.process import Process
from tests.api.site import Person, Site

CLIENTS = 64
PROCESSES = 3
ROUNDS = 4


@pytest.fixture
async def clients(fresh: Site, tmp_path: Path) -> AsyncIterator[list[httpx.AsyncClient]]:
    """One for each of several API processes beside the site, whose projections they share."""
    processes = [Process(fresh.database, tmp_path / f"api{number}.log") for number in range(PROCESSES)]
    made = [process.client(limits=httpx.Limits(max_connections=CLIENTS)) for process in processes]
    try:
        for process in processes:
            process.start()
        for process, client in zip(processes, made, strict=True):
            await process.ready(client)
        yield made
    finally:
        for process, client in zip(processes, made, strict=True):
            await client.aclose()
            process.end()


async def looks(client: httpx.AsyncClient) -> int:
    """How often a process has read the checkpoints."""
    found = re.search(r"^muster_checkpoint_looks (\S+)$", (await client.get("/metrics")).text, re.MULTILINE)
    assert found
    return int(float(found[1]))


async def test_everyone_sees_what_they_wrote_and_nobody_waits_for_much_longer_than_others(fresh: Site, clients):
    people = [await fresh.person() for _ in range(CLIENTS)]
    waited: list[float] = []

    async def live(person: Person) -> None:
        for number in range(ROUNDS):
            writer, reader = random.choice(clients), random.choice(clients)
            body = {"display_name": f"Person {number}"}
            written = await writer.patch(f"/v1/users/{person.id}/profile", json=body, headers=person.headers)
            assert written.status_code == 204, written.text
            demand = {"Min-Position": written.headers["event-position"], "Prefer": "wait=15"}
            begun = time.monotonic()
            answer = await reader.get("/v1/me", headers=person.headers | demand)
            waited.append(time.monotonic() - begun)
            assert answer.status_code == 200, answer.text
            assert answer.json()["display_name"] == body["display_name"]
            assert int(answer.headers["event-position"]) >= int(written.headers["event-position"])

    before = [await looks(client) for client in clients]
    begun = time.monotonic()
    await asyncio.gather(*(live(person) for person in people))
    took = time.monotonic() - begun
    assert len(waited) == CLIENTS * ROUNDS
    assert max(waited) < 2 + 20 * statistics.median(waited), "nobody starves"
    for client, looked in zip(clients, before, strict=True):
        assert await looks(client) - looked <= took + 2, "one look a second, however many wait"
