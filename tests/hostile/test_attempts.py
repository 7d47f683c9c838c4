"""Guessing passwords: in parallel, over several processes, and while a process has no room."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from commands.passwords import Place
from tests.api.site import PASSWORD, in_one_task, served

pytestmark = pytest.mark.real_hashes


@pytest.fixture
def compared(monkeypatch):
    """Counts the passwords that are compared with the one that is kept of somebody."""
    verify, found = Place.verify, []

    async def counted(place, password, hashed):
        if hashed is not None:
            found.append(hashed)
        return await verify(place, password, hashed)

    monkeypatch.setattr(Place, "verify", counted)
    return found


async def several(stack, database, count=4):
    """As many API processes on one database."""
    return [await stack.enter_async_context(in_one_task(served(database))) for _ in range(count)]


async def guessed(site, email, password="a wrong guess"):
    return (await site.post("/v1/sessions", {"email": email, "password": password})).status_code


async def test_of_two_hundred_at_once_over_four_processes_as_many_are_evaluated_as_allowed(database, compared):
    async with AsyncExitStack() as stack:
        sites = await several(stack, database)
        email = sites[0].new_email()
        user_id = await sites[0].registered(email)
        await sites[0].post(f"/v1/users/{user_id}/email/verify", {"token": sites[0].link(user_id)})
        before = await sites[0].head()
        wide = email.replace("@example", "@\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45")
        spellings = (email, email.upper(), email.title(), wide)
        assert len({*spellings}) == 4
        answers = await asyncio.gather(*(guessed(sites[n % 4], spellings[n // 4 % 4]) for n in range(200)))
        assert set(answers) == {401}
        assert len(compared) == 20
        assert await sites[0].events_after(before) == ["UserLocked"]
        assert await guessed(sites[1], email, PASSWORD) == 401
        assert len(compared) == 20


async def test_the_present_password_is_evaluated_as_often_by_whoever_has_a_token(database, compared):
    async with AsyncExitStack() as stack:
        sites = await several(stack, database, 2)
        person = await sites[0].person()
        body = {"password": "a wrong guess", "new_password": "another horse, another staple"}
        before = len(compared)
        answers = await asyncio.gather(
            *(sites[n % 2].post(f"/v1/users/{person.id}/password/change", body, person) for n in range(60))
        )
        assert sorted(answer.status_code for answer in answers) == [403] * 20 + [429] * 40
        assert len(compared) == before + 20
        body["password"] = PASSWORD
        refused = await sites[0].post(f"/v1/users/{person.id}/password/change", body, person)
        assert refused.status_code == 429


async def test_what_there_was_no_room_for_costs_no_attempt(database):
    async with in_one_task(served(database, hash_queue=1)) as site:
        email = (await site.person()).email
        answers = await asyncio.gather(*(guessed(site, email) for _ in range(60)))
        (row,) = await database.query("SELECT max(count) AS count FROM attempts")
        assert answers.count(503) > 20
        assert row["count"] == answers.count(401) < 20
        assert await guessed(site, email, PASSWORD) == 201
