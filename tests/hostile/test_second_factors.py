"""What is done to second factors: guessing, replaying, and taking one token for another."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from commands import second_factor
from commands.handler import Context
from commands.links import RESET_PASSWORD, VERIFY_EMAIL
from commands.remove_factors import RemoveFactors
from commands.second_factor import AT_SIGN_IN
from events.connections import connect
from events.event import Actor
from tests.api.factors import asked_further, enrolled, second_step
from tests.api.site import PASSWORD, Person, in_one_task, served
from tests.apps import App


async def test_of_sixty_guesses_at_once_over_four_processes_as_many_are_evaluated_as_allowed(database, monkeypatch):
    taken, evaluated = second_factor._taken, []

    async def counted(*arguments):
        evaluated.append(arguments)
        return await taken(*arguments)

    monkeypatch.setattr(second_factor, "_taken", counted)
    async with AsyncExitStack() as stack:
        sites = [await stack.enter_async_context(in_one_task(served(database))) for _ in range(4)]
        who = await enrolled(sites[0])
        challenge = (await asked_further(sites[0], who.person))["challenge"]
        before, wrong = await sites[0].head(), who.app.wrong()
        answers = await asyncio.gather(
            *(second_step(sites[number % 4], who.person, challenge, totp=wrong) for number in range(60))
        )
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 55
        assert len(evaluated) == 5
        assert await sites[0].events_after(before) == ["SecondFactorRefused"]
        right = await second_step(sites[1], who.person, challenge, totp=who.app.code())
        assert right.status_code == 429
        assert right.json()["type"].endswith("/problems/too-many-attempts")


async def test_guesses_with_many_challenges_are_counted_together(site):
    who = await enrolled(site)
    wrong = who.app.wrong()
    statuses = [(await second_step(site, who.person, totp=wrong)).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


async def test_strangers_who_know_the_password_shut_out_no_device_that_signed_in_before(site):
    person = await site.person()
    devices = []
    for _ in range(2):
        let_in = await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})
        devices.append({"Cookie": f"muster_device={let_in.cookies['muster_device']}"})
    who = await enrolled(site, Person(person.id, person.email, let_in.json()))

    async def tried(device, **given):
        challenge = (await asked_further(site, who.person))["challenge"]
        return (await site.post("/v1/sessions", {"challenge": challenge, **given}, headers=device)).status_code

    wrong, stranger = {"totp": who.app.wrong()}, {"Cookie": "muster_device=made-up"}
    assert [await tried(stranger, **wrong) for _ in range(6)] == [401] * 5 + [429]
    assert await tried(devices[0], totp=who.app.code()) == 201
    assert await tried(stranger, recovery_code=who.codes[0]) == 429
    # Known devices share theirs: those that signed in by the password alone guess no more for being many.
    assert [await tried(devices[number % 2], **wrong) for number in range(6)] == [401] * 5 + [429]


async def test_one_code_twenty_times_at_once_opens_one_session(site):
    who = await enrolled(site)
    challenges = [(await asked_further(site, who.person))["challenge"] for _ in range(4)]
    code, before = who.app.code(), await site.head()
    answers = await asyncio.gather(
        *(second_step(site, who.person, challenges[number % 4], totp=code) for number in range(20))
    )
    assert [answer.status_code for answer in answers].count(201) == 1
    assert await site.events_after(before) == ["SessionStarted"]


async def test_one_challenge_with_every_recovery_code_at_once_opens_one_session_and_spends_one(site):
    who = await enrolled(site)
    challenge, before = (await asked_further(site, who.person))["challenge"], await site.head()
    answers = await asyncio.gather(
        *(second_step(site, who.person, challenge, recovery_code=code) for code in who.codes)
    )
    assert [answer.status_code for answer in answers].count(201) == 1
    assert sorted(await site.events_after(before)) == ["RecoveryCodeUsed", "SessionStarted"]


async def test_a_challenge_is_nothing_else_and_nothing_else_is_a_challenge(site, somebody):
    who = await enrolled(site)
    challenge = (await asked_further(site, who.person))["challenge"]
    assert (await site.post("/v1/sessions/refresh", {"refresh_token": challenge})).status_code == 401
    assert (await site.get("/v1/me", headers={"Authorization": f"Bearer {challenge}"})).status_code == 401
    link = {"token": challenge}
    assert (await site.post(f"/v1/users/{who.person.id}/email/verify", link)).status_code == 400
    assert (
        await site.post("/v1/password/reset/complete", {**link, "password": "another horse, a staple"})
    ).status_code == 400
    others = [
        who.person.tokens["access_token"][:500],
        who.person.tokens["refresh_token"],
        site.link(who.person.id, purpose=VERIFY_EMAIL),
        site.link(who.person.id, purpose=RESET_PASSWORD),
    ]
    for other in others:
        answer = await second_step(site, who.person, other, totp="123456")
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (401, "invalid-challenge")


async def test_anothers_code_opens_nothing(site):
    mine, theirs = await enrolled(site), await enrolled(site)
    challenge = (await asked_further(site, theirs.person))["challenge"]
    for given in ({"totp": mine.app.code()}, {"recovery_code": mine.codes[0]}):
        assert (await second_step(site, theirs.person, challenge, **given)).status_code == 401


async def test_a_wrong_password_is_answered_as_where_there_is_no_factor(site, somebody):
    who = await enrolled(site)
    told = []
    for email in (who.person.email, somebody.email, "nobody@example.com"):
        body = {"email": email, "password": "not the password"}
        answer = await site.post("/v1/sessions", body, headers={"X-Request-Id": "same"})
        headers = {name: value for name, value in answer.headers.items() if name != "traceparent"}
        told.append((answer.status_code, headers, answer.content))
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("sealed", ["gone", "altered"])
async def test_a_stored_secret_that_is_missing_or_broken_lets_nobody_in(fresh, sealed):
    who = await enrolled(fresh)
    owner = await connect(fresh.database.owner_url, "tests")
    where = "owner_id = $1 AND kind IN ('totp', 'recovery-codes')"
    if sealed == "gone":
        await owner.execute(f"DELETE FROM secrets WHERE {where}", who.person.id)
    else:
        await owner.execute(f"UPDATE secrets SET sealed = sealed || '\\x00' WHERE {where}", who.person.id)
    await owner.close()
    for given in ({"totp": who.app.code()}, {"recovery_code": who.codes[0]}):
        answer = await second_step(fresh, who.person, **given)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (401, "invalid-second-factor")
    await fresh.app.process.handler.handle(RemoveFactors(who.person.id), Context(Actor("operator")))
    assert (await fresh.signed_in(who.person.email)).id == who.person.id


async def test_an_older_secret_is_not_taken_when_it_is_put_back(fresh):
    who = await enrolled(fresh)
    owner = await connect(fresh.database.owner_url, "tests")
    kept = await owner.fetchval("SELECT sealed FROM secrets WHERE owner_id = $1 AND kind = 'totp'", who.person.id)
    code = who.app.code()
    assert (await second_step(fresh, who.person, totp=code)).status_code == 201
    await owner.execute("UPDATE secrets SET sealed = $2 WHERE owner_id = $1 AND kind = 'totp'", who.person.id, kept)
    await owner.close()
    assert (await second_step(fresh, who.person, totp=code)).status_code == 401


async def test_attempts_at_second_factors_are_no_sign_ins(fresh):
    who = await enrolled(fresh)
    counted = (
        "SELECT coalesce(sum(attempted), 0)::int AS tried, coalesce(sum(succeeded), 0)::int AS done FROM sign_in_counts"
    )
    (before,) = await fresh.database.query(counted)
    challenge = (await asked_further(fresh, who.person))["challenge"]
    await second_step(fresh, who.person, challenge, totp=who.app.wrong())
    await second_step(fresh, who.person, challenge, totp=who.app.code())
    (after,) = await fresh.database.query(counted)
    assert (after["tried"] - before["tried"], after["done"] - before["done"]) == (1, 1)
    assert await fresh.database.query("SELECT 1 FROM attempts WHERE key = $1", who.person.id.bytes + AT_SIGN_IN) == []


async def test_a_token_from_before_a_factor_does_not_do_what_takes_one(site):
    person = await site.person()
    who = await enrolled(site, await site.signed_in(person.email))
    assert (await site.get("/v1/me", person)).status_code == 401
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert refreshed.status_code == 200
    thief = Person(person.id, person.email, refreshed.json())
    before = await site.head()
    answers = [
        await site.request("DELETE", f"/v1/users/{person.id}/totp", thief),
        await site.post(f"/v1/users/{person.id}/recovery-codes", None, thief),
        await site.post(
            f"/v1/users/{person.id}/password/change", {"password": PASSWORD, "new_password": PASSWORD + "!"}, thief
        ),
        await site.post(f"/v1/sessions/{thief.session_id}/step-up", {"password": PASSWORD}, thief),
        await site.post(f"/v1/sessions/{thief.session_id}/step-up", {"totp": who.app.wrong()}, thief),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 403]
    assert await site.head() == before


async def test_one_code_steps_up_once_of_twenty_at_once(site):
    who = await enrolled(site)
    code, before = who.app.code(), await site.head()
    path = f"/v1/sessions/{who.person.session_id}/step-up"
    answers = await asyncio.gather(*(site.post(path, {"totp": code}, who.person) for _ in range(20)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert await site.events_after(before) == ["SteppedUp"]


@pytest.mark.parametrize("end", ["password", "suspension"])
async def test_no_session_begins_by_a_second_step_that_loses_against_what_ends_it(site, end):
    for _ in range(3):
        who = await enrolled(site)
        challenge = (await asked_further(site, who.person))["challenge"]
        path = f"/v1/users/{who.person.id}"
        ending = (
            site.post(
                f"{path}/password/change", {"password": PASSWORD, "new_password": "another horse, a staple"}, who.person
            )
            if end == "password"
            else site.post(f"{path}/suspend", {}, site.administrator)
        )
        second, ended = await asyncio.gather(second_step(site, who.person, challenge, totp=who.app.code()), ending)
        assert ended.status_code == 204
        assert second.status_code in (201, 401)
        if second.status_code == 201:
            late = Person(who.person.id, who.person.email, second.json())
            assert (await site.get("/v1/me", late)).status_code == 401
            refresh = {"refresh_token": late.tokens["refresh_token"]}
            assert (await site.post("/v1/sessions/refresh", refresh)).status_code == 401


async def test_no_session_begins_by_the_password_alone_once_a_factor_was_confirmed(site):
    for _ in range(3):
        person = await site.person()
        app = App((await site.post(f"/v1/users/{person.id}/totp", None, person)).json()["secret"])
        before = await site.head()
        confirmed, *answers = await asyncio.gather(
            site.post(f"/v1/users/{person.id}/totp/confirm", {"code": app.code()}, person),
            *(site.post("/v1/sessions", {"email": person.email, "password": PASSWORD}) for _ in range(5)),
        )
        assert confirmed.status_code == 200
        topics = await site.events_after(before)
        assert "SessionStarted" not in topics[topics.index("TotpConfirmed") :]
        assert [answer.status_code for answer in answers].count(201) == topics.count("SessionStarted")
