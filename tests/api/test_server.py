"""The API as a process of its own."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.migrating import migrated
from tests.api.process import Process
from tests.api.site import PASSWORD, settings_for
from tests.support import Database


@pytest.fixture
def process(database: Database, tmp_path: Path) -> Iterator[Process]:
    made = Process(database, tmp_path / "api.log")
    yield made
    made.end()


async def test_finishes_what_it_has_taken_when_it_is_asked_to_end(database, process):
    await migrated(settings_for(database))
    process.start()
    acknowledged: list[str] = []

    async def register(number: int) -> None:
        body = {"email": f"person{number}@example.com", "password": PASSWORD}
        try:
            answer = await client.post("/v1/users", json=body)
        except httpx.TransportError:
            return
        assert answer.status_code in (202, 503)
        if answer.status_code == 202:
            acknowledged.append(answer.json()["id"])

    async with process.client() as client:
        await process.ready(client)
        asking = [asyncio.create_task(register(number)) for number in range(40)]
        await asyncio.sleep(0.3)
        process.child.send_signal(signal.SIGTERM)
        began = time.monotonic()
        await asyncio.gather(*asking)
        await asyncio.to_thread(process.child.wait, 10)
        assert time.monotonic() - began < 10
    rows = await database.query("SELECT originator_id FROM stored_events WHERE topic = 'UserRegistered'")
    assert acknowledged
    assert {str(row["originator_id"]) for row in rows} >= set(acknowledged)


async def test_what_was_acknowledged_before_a_kill_is_there_afterwards(database, process):
    token = await migrated(settings_for(database))
    process.start()
    async with process.client() as client:
        await process.ready(client)
        body = {"token": token, "email": "root@example.com", "password": PASSWORD}
        assert (await client.post("/v1/administrators", json=body)).status_code == 201
        process.end()
        process.start()
        await process.ready(client)
        signed_in = await client.post("/v1/sessions", json={"email": "root@example.com", "password": PASSWORD})
        assert signed_in.status_code == 201
        headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        events = (await client.get("/v1/events", headers=headers)).json()["items"]
        assert [event["type"] for event in events].count("AdministratorAdded") == 1


async def test_logs_one_json_line_for_each_request_and_nothing_that_was_said_in_it(database, process):
    token = await migrated(settings_for(database))
    process.start()
    async with process.client() as client:
        await process.ready(client)
        body = {"token": token, "email": "root@example.com", "password": PASSWORD, "display_name": "Ada Lovelace"}
        await client.post("/v1/administrators", json=body)
        signed_in = await client.post(
            "/v1/sessions", json={"email": "root@example.com", "password": PASSWORD}, headers={"X-Request-Id": "one"}
        )
        tokens = signed_in.json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}", "X-Request-Id": "two"}
        await client.get("/v1/events?limit=3", headers=headers)
        await client.get(f"/verify-email/{tokens['refresh_token']}")
        await client.post("/v1/sessions", json={"email": "root@example.com", "password": "another password"})
        await client.post(
            "/v1/sessions", content=b"{" + PASSWORD.encode(), headers={"Content-Type": "application/json"}
        )
    process.child.send_signal(signal.SIGTERM)
    process.child.wait(10)
    lines = {line.get("request_id"): line for line in process.lines()}
    assert (lines["one"]["method"], lines["one"]["route"], lines["one"]["status"]) == ("POST", "/v1/sessions", 201)
    assert (lines["two"]["route"], lines["two"]["caller"]) == ("/v1/events", tokens["user_id"])
    logged = process.log.read_text()
    for secret in (
        PASSWORD,
        "root@example.com",
        "Ada Lovelace",
        token,
        tokens["access_token"],
        tokens["refresh_token"],
    ):
        assert secret not in logged


async def test_says_why_when_it_cannot_start(database, process):
    process.environment["MUSTER_DATABASE_URL"] = urlsplit(database.owner_url)._replace(path="/nowhere").geturl()
    process.start()
    assert process.child.wait(20) != 0
    assert "nowhere" in process.log.read_text()
    assert "muster:" not in process.log.read_text()
