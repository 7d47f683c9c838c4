"""What can be learnt from answers: nothing about who has an account.

`make enumeration` asks more often, and of a whole Muster in processes of its own, and judges the times as well.
"""

import random
import re
import statistics
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from uuid_utils.compat import uuid7

from tests.api.site import PASSWORD, Site, in_one_task, served
from tests.enumeration.people import PASSWORD as THEIR_PASSWORD
from tests.enumeration.people import WRONG_PASSWORD, new_email, people
from tests.enumeration.questions import QUESTIONS
from tests.enumeration.sampling import Samples, sample

TIMES = 12
SAME = {"X-Request-Id": "same"}
GOING_ON = ("ratelimit", "retry-after", "etag", "event-position")
LIMITED = ("sign_in", "registration", "reset", "verification")


def alike(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], Any]:
    """Status, headers and body of an answer, without what is different each time, and numbers that go on."""
    headers = [
        (name, re.sub(r"\d+", "", value) if name in GOING_ON else value)
        for name, value in answer.headers.items()
        if name != "traceparent"
    ]
    told = answer.json() if answer.content else {}
    told.pop("id", None)
    told.pop("instance", None)  # the path that was asked
    return answer.status_code, headers, told


@pytest.fixture(scope="module", params=QUESTIONS)
async def samples(request: pytest.FixtureRequest, shared_site: Any, wire: Any) -> Samples:
    """What people of every kind are answered, over a socket, while no mail server answers and no limit is in force.

    Made for the first test that asks for them, which is quiet for that.
    """
    shared_site.app.process.hasher._decoy = None  # that of other tests is a cheap one
    async with people(shared_site.database, shared_site.settings) as made:
        question = await QUESTIONS[request.param](made, TIMES)
    return await sample(wire.port, [question], TIMES, random.Random(1), lambda _line: None)


@pytest.mark.quiet
@pytest.mark.real_hashes
def test_answers_have_the_same_bytes_for_every_kind_of_address(samples):
    said = {kind: set(answers) for (_question, kind), answers in samples.answers.items()}
    (first, *others) = said.values()
    assert len(said) > 1
    assert len(first) == 1
    assert others == [first] * len(others)


@pytest.mark.quiet
@pytest.mark.real_hashes
def test_answers_take_much_the_same_time_for_every_kind_of_address(samples):
    medians = [statistics.median(milliseconds) for milliseconds in samples.milliseconds.values()]
    # Without the hash of a password that is not there, an unknown address would be answered ten times as fast.
    assert max(medians) / min(medians) < 2.5


async def test_other_spellings_and_what_is_no_address_are_answered_alike(site, somebody):
    registering = [
        await site.post("/v1/users", {"email": email, "password": PASSWORD}, headers=SAME)
        for email in (site.new_email(), somebody.email, somebody.email.upper())
    ]
    signing_in = [
        await site.post("/v1/sessions", {"email": email, "password": "not the password"}, headers=SAME)
        for email in (somebody.email, somebody.email.upper(), "nobody@example.com", "not an address", "")
    ]
    resetting = [
        await site.post("/v1/password/reset", {"email": email}, headers=SAME)
        for email in (somebody.email, somebody.email.upper(), "nobody@example.com", "not an address")
    ]
    for answers in (registering, signing_in, resetting):
        assert [alike(answer) for answer in answers] == [alike(answers[0])] * len(answers)


@pytest.fixture
async def redis(valkey: Any) -> AsyncIterator[Redis]:
    """The test run's Valkey, emptied."""
    async with Redis.from_url(valkey.url) as client:
        await client.flushall()
        yield client


ABOUT_ADDRESSES = {
    "register": ("/v1/users", {"password": THEIR_PASSWORD}),
    "sign in": ("/v1/sessions", {"password": WRONG_PASSWORD}),
    "reset": ("/v1/password/reset", {}),
    "change address": ("/v1/users/{asker}/email/change", {"password": THEIR_PASSWORD}),
}


@pytest.fixture
async def limited_site(database: Any, valkey: Any, redis: Redis) -> AsyncIterator[Site]:
    """A Muster where each account may be asked about twice an hour."""
    limits = {f"limit_{name}_by_account": "2 per hour" for name in LIMITED}
    async with in_one_task(served(database, redis_url=valkey.url, **limits)) as made:
        yield made


@pytest.mark.parametrize("question", ABOUT_ADDRESSES)
async def test_every_kind_of_address_meets_the_same_limit_and_is_told_of_it_alike(limited_site, question):
    site, (path, body) = limited_site, ABOUT_ADDRESSES[question]
    async with people(site.database, site.settings) as made:
        asker = await made.known()
        makes = (made.known, made.unverified, made.lapsed, made.erased, made.suspended, made.locked)
        emails = [new_email(), "no.address@example.com", *[(await make()).email for make in makes]]
    person = await site.signed_in(asker.email, THEIR_PASSWORD) if "{asker}" in path else None
    told = [
        [
            alike(await site.post(path.format(asker=asker.id), {"email": email, **body}, person, headers=SAME))
            for _ in range(4)
        ]
        for email in emails
    ]
    statuses = [status for status, _headers, _body in told[0]]
    assert statuses[0] == statuses[1] != 429
    assert statuses[2:] == [429, 429]
    assert told == [told[0]] * len(told)


async def test_links_are_sent_again_as_often_for_every_kind_of_account(limited_site):
    site = limited_site
    async with people(site.database, site.settings) as made:
        makes = (made.known, made.unverified, made.lapsed, made.erased, made.suspended, made.locked)
        ids = [uuid7(), *[(await make()).id for make in makes]]
    told = [
        [alike(await site.post(f"/v1/users/{user_id}/email/resend", None, headers=SAME)) for _ in range(4)]
        for user_id in ids
    ]
    assert [status for status, _headers, _body in told[0]] == [202, 202, 429, 429]
    assert told == [told[0]] * len(told)


async def test_the_id_of_a_taken_address_leads_nowhere(site, somebody):
    answer = await site.post("/v1/users", {"email": somebody.email, "password": PASSWORD})
    user_id = answer.json()["id"]
    assert (await site.get(f"/v1/users/{user_id}", site.administrator)).status_code == 404
    assert (await site.get(f"/v1/users/{user_id}/history", site.administrator)).status_code == 404
    proved = await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
    assert proved.status_code == 410
