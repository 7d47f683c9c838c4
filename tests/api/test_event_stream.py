"""The log as it happens, over a socket: an answer without an end cannot be asked for in one piece."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api import event_stream
from api.migrating import migrated
from api.server import PunctualProtocol
from events.connections import connect
from tests.api.conftest import whole
from tests.api.process import Process
from tests.api.site import PASSWORD, Asker, Site, in_one_task, settings_for
from tests.sockets import listening
from tests.support import until

PATH = "/v1/events/stream"


class Told:
    """What one who follows is told, message by message."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._messages: asyncio.Queue[dict[str, str] | None] = asyncio.Queue()

    async def listen(self) -> None:
        """Take the fields of each message, and None at the stream's end."""
        fields: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                assert name not in fields
                fields[name] = value
            else:
                self._messages.put_nowait(fields)
                fields = {}
        assert not fields, "broken off in the middle"
        self._messages.put_nowait(None)

    async def message(self, seconds: float = 10) -> dict[str, str] | None:
        """The fields of the next message, or None at the end of the stream."""
        async with asyncio.timeout(seconds):
            return await self._messages.get()

    async def event(self) -> dict[str, Any]:
        """The next event, which its message agrees with."""
        while (message := await self.message()) is not None and "data" not in message:
            pass
        assert message is not None
        event: dict[str, Any] = json.loads(message["data"])
        assert (message["id"], message["event"]) == (f"1-{event['position']}", event["type"])
        return event

    async def events(self, count: int) -> list[dict[str, Any]]:
        """So many events."""
        return [await self.event() for _ in range(count)]

    async def rest(self) -> list[dict[str, Any]]:
        """All events up to the end of the stream."""
        events = []
        while (message := await self.message()) is not None:
            if "data" in message:
                events.append(json.loads(message["data"]))
        return events


class Following:
    """Those who follow a Muster over a socket."""

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)

    @asynccontextmanager
    async def __call__(self, person: Asker, headers: dict[str, str] | None = None, **asked: Any) -> AsyncIterator[Told]:
        sent = {**person.headers, **(headers or {})}
        async with self.client.stream("GET", PATH, params=asked, headers=sent) as response:
            assert response.status_code == 200, await response.aread()
            told = Told(response)
            listening = asyncio.create_task(told.listen())
            try:
                assert await told.message() == {"retry": "2000"}
                yield told
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def nobody(self) -> bool:
        """Whether nobody follows any longer."""
        return not self.site.app.process.streams

    async def log(self, after: int) -> list[dict[str, Any]]:
        """What stands in the log after a position, as it is asked for page by page."""
        items: list[dict[str, Any]] = []
        path: str | None = "/v1/events?limit=200"
        while path:
            page = await self.site.get(path, self.site.administrator)
            items += page.json()["items"]
            path = page.links["next"]["url"] if "next" in page.links else None
        return [item for item in items if item["position"] > after]


@asynccontextmanager
async def followed(site: Site) -> AsyncIterator[Following]:
    async with listening(site.app, http=PunctualProtocol) as port:
        following = Following(site, port)
        async with following.client:
            yield following


@pytest.fixture
async def following(site: Site) -> AsyncIterator[Following]:
    async with in_one_task(followed(site)) as made:
        yield made


async def test_tells_what_happened_and_then_what_happens(following, auditor):
    site = following.site
    begins = await site.head()
    await site.registered()
    async with following(auditor, after=begins) as told:
        assert told.response.headers["content-type"].startswith("text/event-stream")
        assert told.response.headers["cache-control"] == "no-store"
        assert told.response.headers["event-position"] == str(begins)
        before = await told.events(await site.head() - begins)
        await site.registered()
        after = await told.events(await site.head() - before[-1]["position"])
    assert before + after == await following.log(begins)


async def test_begins_with_what_happens_from_now_on(following, auditor):
    async with following(auditor) as told:
        begins = await following.site.head()
        await following.site.registered()
        assert (await told.event())["position"] == begins + 1


async def test_goes_on_after_the_id_that_was_told_last(following, auditor):
    site = following.site
    begins = await site.head()
    await site.person()
    async with following(auditor, after=begins) as told:
        first = await told.event()
    for known in (first["position"], f"1-{first['position']}"):  # in the first epoch a position says enough
        async with following(auditor, {"Last-Event-ID": str(known)}, after=0) as told:
            assert (await told.event())["position"] == first["position"] + 1


async def test_tells_of_some_types_and_moves_on_past_the_others(following, auditor, monkeypatch):
    monkeypatch.setattr(event_stream, "QUIET_SECONDS", 0.1)
    site = following.site
    begins = await site.head()
    await site.person()
    async with following(auditor, after=begins, type=["EmailVerified", "SessionStarted"]) as told:
        assert [event["type"] for event in await told.events(2)] == ["EmailVerified", "SessionStarted"]
        await site.registered()
        head = await site.head()

        async def moved_on() -> bool:
            return bool(await told.message() == {"id": f"1-{head}"})

        await until(moved_on)


async def test_ends_at_the_logs_end_for_who_does_not_follow(following, auditor):
    async with following(auditor, after=0, follow="false") as told:
        assert await told.rest() == await following.log(0)
    async with following(auditor, after=await following.site.head() + 1_000, follow="false") as told:
        assert await told.rest() == []


async def test_everyone_is_told_everything_once_and_in_order_while_much_happens(following, auditor):
    site = following.site
    begins = await site.head()
    all_told: list[list[int]] = [[], [], []]

    async def follow(positions: list[int]) -> None:
        async with following(auditor, after=begins) as told:
            while True:
                positions.append((await told.event())["position"])

    async def everything() -> bool:
        head = await site.head()
        return all(positions and positions[-1] == head for positions in all_told)

    followers = [asyncio.create_task(follow(positions)) for positions in all_told]
    await asyncio.gather(*(site.registered() for _ in range(30)))
    await until(everything)
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    assert all_told == [[*range(begins + 1, await site.head() + 1)]] * 3


@pytest.mark.parametrize("given", ["", "1-", "-1", "1-x", "1-99999999999999999999", "1--1", "one", "1-1 ", "٣-٣"])
async def test_an_id_that_is_none_is_refused(site, auditor, given):
    answer = await site.get(f"{PATH}?follow=false", auditor, headers={"Last-Event-ID": given.encode()})
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == ["Last-Event-ID"]


@pytest.mark.parametrize(
    "query", ["after=-1", "after=one", "after=9223372036854775808", "follow=maybe", "type=Nothing"]
)
async def test_a_parameter_that_is_none_is_refused(site, auditor, query):
    answer = await site.get(f"{PATH}?{query}", auditor)
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_an_id_of_before_a_restore_is_gone(site, auditor):
    answer = await site.get(f"{PATH}?follow=false", auditor, headers={"Last-Event-ID": "7-1"})
    assert answer.status_code == 410
    assert answer.json()["type"].endswith("/problems/log-restored")


async def test_head_tells_where_it_would_begin_and_ends(following, auditor):
    answer = await following.client.head(PATH, headers=auditor.headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["event-position"] == str(await following.site.head())
    await until(following.nobody)


async def test_ends_when_the_session_does(following):
    site = following.site
    person = await site.seen(await site.person("auditor"))
    async with following(person) as told:
        assert (await site.request("DELETE", f"/v1/sessions/{person.session_id}", person)).status_code == 204
        await told.rest()
    await until(following.nobody)


async def test_ends_when_the_role_is_revoked(following):
    site = following.site
    person = await site.seen(await site.person("auditor"))
    async with following(person) as told:
        path = f"/v1/users/{person.id}/roles/auditor"
        assert (await site.request("DELETE", path, site.administrator)).status_code == 204
        await told.rest()


async def test_ends_when_the_token_expires(database):
    async with (
        in_one_task(whole(database, access_token_seconds=2)) as site,
        followed(site) as following,
        following(await site.person("auditor")) as told,
    ):
        await told.rest()


async def test_nothing_is_told_while_it_cannot_be_told_who_still_may(following, auditor, monkeypatch):
    """It is a matter of a second, and nobody is sent away for it."""
    site = following.site
    async with following(auditor) as told:
        monkeypatch.setattr(type(site.app.process.revocations), "trustworthy", False)
        user_id = await site.registered()
        with pytest.raises(TimeoutError):
            await told.message(1)
        monkeypatch.undo()
        assert (await told.event())["subject"] == user_id


async def test_who_is_erased_is_told_as_forgotten_to_who_follows_already(following, auditor):
    site = following.site
    person = await site.person()
    begins = await site.head()
    async with following(auditor, after=begins) as one, following(auditor) as other:
        await site.request("PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": "Ada Lovelace"})
        told = await one.event()
        assert await other.event() == told
        assert told["data"] == {"display_name": "Ada Lovelace"}
        assert (await site.post(f"/v1/users/{person.id}/erase", {}, site.administrator)).status_code == 204
        assert (await one.event())["type"] == "UserErased"
    async with following(auditor, {"Last-Event-ID": f"1-{begins}"}) as again:
        assert (await again.event())["data"] == {"display_name": {"forgotten": True}}


async def test_connections_that_are_lost_lose_no_event(following, auditor):
    site = following.site
    async with following(auditor) as told:
        begins = await site.head()
        for _ in range(3):
            await site.registered()
            for role, name in (("reader", "muster reader"), ("writer", "muster listener")):
                connection = await connect(site.database.url(role), "tests")
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND usename = current_user AND application_name = $1",
                    name,
                )
                await connection.close()
        await until(lambda: registers(site))
        positions = [event["position"] for event in await told.events(await site.head() - begins)]
    assert positions == [*range(begins + 1, begins + 1 + len(positions))]


async def registers(site: Site) -> bool:
    answer = await site.post("/v1/users", {"email": site.new_email(), "password": PASSWORD})
    return answer.status_code == 202


async def test_as_many_as_may_follow_and_no_more(database):
    async with in_one_task(whole(database, event_streams=1)) as site, followed(site) as following:
        async with following(site.administrator):
            refused = await site.get(f"{PATH}?follow=false", site.administrator)
            assert refused.status_code == 503
            assert refused.json()["type"].endswith("/problems/too-many-streams")
            assert refused.headers["retry-after"] == "1"
        await until(following.nobody)
        async with following(site.administrator, after=0) as told:
            assert (await told.event())["position"] == 1


async def test_a_process_that_ends_lets_nobody_wait(database, tmp_path):
    token = await migrated(settings_for(database))
    process = Process(database, tmp_path / "api.log")
    process.start()
    try:
        async with process.client() as client:
            await process.ready(client)
            body = {"token": token, "email": "root@example.com", "password": PASSWORD}
            assert (await client.post("/v1/administrators", json=body)).status_code == 201
            signed_in = await client.post("/v1/sessions", json={"email": "root@example.com", "password": PASSWORD})
            headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
            async with client.stream("GET", PATH, headers=headers) as response:
                told = Told(response)
                listening = asyncio.create_task(told.listen())
                assert await told.message() == {"retry": "2000"}
                process.child.send_signal(signal.SIGTERM)
                assert await told.message(4) is None
                await listening
        assert await asyncio.to_thread(process.child.wait, 4) is not None
    finally:
        process.end()
