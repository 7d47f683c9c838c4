"""Signing in, going on, signing out."""

import asyncio
from uuid import uuid4

import jwt

from tests.api.site import PASSWORD, served


async def test_the_right_password_opens_a_session(site, somebody):
    before = await site.head()
    answer = await site.post("/v1/sessions", {"email": somebody.email.upper(), "password": PASSWORD})
    assert answer.status_code == 201
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "session_id", "user_id"}
    assert (body["token_type"], body["expires_in"], body["user_id"]) == ("Bearer", 600, str(somebody.id))
    assert answer.headers["cache-control"] == "no-store"
    assert await site.events_after(before) == ["SessionStarted"]


async def test_others_can_verify_the_token_by_the_published_keys(site, somebody):
    keys = (await site.get("/.well-known/jwks.json")).json()
    token = somebody.tokens["access_token"]
    key = next(key for key in keys["keys"] if key["kid"] == jwt.get_unverified_header(token)["kid"])
    said = jwt.decode(token, jwt.PyJWK(key), ["EdDSA"], audience=site.settings.base_url, issuer=site.settings.base_url)
    assert said["sub"] == str(somebody.id)


async def test_whatever_is_wrong_is_answered_alike(site, somebody):
    unverified = site.new_email()
    await site.registered(unverified)
    answers = [
        await site.post("/v1/sessions", {"email": email, "password": password})
        for email, password in (
            (somebody.email, "another password"),
            ("nobody@example.com", PASSWORD),
            ("no address", PASSWORD),
            (unverified, PASSWORD),
            (unverified, "another password"),
            (somebody.email, ""),
            (somebody.email, "x" * 8000),
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    told = [{**answer.json(), "request_id": ""} for answer in answers]
    assert all(body == told[0] for body in told)
    assert all(answer.headers["www-authenticate"] == 'Bearer realm="muster"' for answer in answers)


async def test_the_right_password_of_an_unproved_account_has_the_link_sent_again(site):
    email = site.new_email()
    await site.registered(email)
    before = await site.head()
    assert (await site.post("/v1/sessions", {"email": email, "password": PASSWORD})).status_code == 401
    assert await site.events_after(before) == ["VerificationRequested"]


async def test_a_refresh_token_is_spent_for_fresh_tokens(site):
    person = await site.person()
    before = await site.head()
    answer = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert answer.status_code == 200
    fresh = answer.json()
    assert fresh.keys() == person.tokens.keys()
    assert fresh["session_id"] == person.session_id
    assert fresh["refresh_token"] != person.tokens["refresh_token"]
    assert await site.events_after(before) == []
    assert (
        await site.get(f"/v1/users/{uuid4()}", None, headers={"Authorization": f"Bearer {fresh['access_token']}"})
    ).status_code == 404


async def test_an_answer_that_was_lost_is_given_again(site):
    person = await site.person()
    body = {"refresh_token": person.tokens["refresh_token"]}
    first, again = await site.post("/v1/sessions/refresh", body), await site.post("/v1/sessions/refresh", body)
    assert first.json()["refresh_token"] == again.json()["refresh_token"]


async def test_a_spent_refresh_token_ends_the_session_for_everyone_at_once(site):
    person = await site.person()
    first = person.tokens["refresh_token"]
    second = (await site.post("/v1/sessions/refresh", {"refresh_token": first})).json()
    third = (await site.post("/v1/sessions/refresh", {"refresh_token": second["refresh_token"]})).json()
    before = await site.head()
    reused = await site.post("/v1/sessions/refresh", {"refresh_token": first})
    assert reused.status_code == 401
    assert await site.events_after(before) == ["RefreshTokenReused"]
    for tokens in (person.tokens, second, third):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await site.get("/v1/me", headers=headers)).status_code == 401
    assert (await site.post("/v1/sessions/refresh", {"refresh_token": third["refresh_token"]})).status_code == 401


async def test_signing_out_ends_the_session_at_once(site):
    person = await site.person()
    before = await site.head()
    answer = await site.request("DELETE", f"/v1/sessions/{person.session_id}", person)
    assert (answer.status_code, answer.headers["event-position"]) == (204, str(before + 1))
    assert await site.events_after(before) == ["SessionEnded"]
    after = await site.get("/v1/me", person)
    assert after.status_code == 401
    assert 'error="invalid_token"' in after.headers["www-authenticate"]
    assert (
        await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    ).status_code == 401


async def test_one_session_ends_and_the_others_go_on(site):
    person = await site.seen(await site.person())
    other = await site.signed_in(person.email)
    assert (await site.request("DELETE", f"/v1/sessions/{other.session_id}", person)).status_code == 204
    assert (await site.get("/v1/me", other)).status_code == 401
    assert (await site.get("/v1/me", person)).status_code == 200


async def test_anothers_session_does_not_exist(site, somebody):
    person = await site.person()
    before = await site.head()
    theirs = await site.request("DELETE", f"/v1/sessions/{somebody.session_id}", person)
    nobodys = await site.request("DELETE", f"/v1/sessions/{uuid4()}", person)
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["type"] == nobodys.json()["type"]
    assert await site.head() == before


async def test_an_administrator_ends_anyones_session(site):
    person = await site.person()
    answer = await site.request("DELETE", f"/v1/sessions/{person.session_id}", site.administrator)
    assert answer.status_code == 204
    assert (await site.get("/v1/me", person)).status_code == 401


async def test_ending_twice_records_nothing_the_second_time(site):
    person, other = await site.person(), None
    other = await site.signed_in(person.email)
    assert (await site.request("DELETE", f"/v1/sessions/{other.session_id}", person)).status_code == 204
    before = await site.head()
    assert (await site.request("DELETE", f"/v1/sessions/{other.session_id}", person)).status_code == 204
    assert await site.head() == before


async def test_ending_one_can_be_tried_out_by_its_holder_and_by_administrators(site, somebody):
    person, path = await site.person(), "/v1/sessions/{}"
    before, dry = await site.head(), {"Prefer": "dry-run"}
    for asker in (person, site.administrator):
        tried = await site.request("DELETE", path.format(person.session_id), asker, headers=dry)
        assert (tried.status_code, tried.headers["preference-applied"]) == (200, "dry-run")
        (event,) = tried.json()["events"]
        assert (event["type"], event["stream"], event["version"]) == ("SessionEnded", person.session_id, 2)
    others = await site.request("DELETE", path.format(person.session_id), somebody, headers=dry)
    nobodys = await site.request("DELETE", path.format(uuid4()), somebody, headers=dry)
    assert others.status_code == nobodys.status_code == 404
    assert await site.head() == before
    assert (await site.get(f"/v1/users/{person.id}/sessions", person)).status_code == 200


async def test_another_process_refuses_an_ended_session_within_a_second(site):
    person = await site.seen(await site.person())
    async with served(site.database) as other:
        assert (await other.get("/v1/me", person)).status_code == 200
        await site.request("DELETE", f"/v1/sessions/{person.session_id}", person)
        async with asyncio.timeout(1):
            while (await other.get("/v1/me", person)).status_code == 200:  # noqa: ASYNC110 - as a client does
                await asyncio.sleep(0.01)


async def test_a_process_that_starts_later_refuses_it_too(site):
    person = await site.person()
    await site.request("DELETE", f"/v1/sessions/{person.session_id}", person)
    async with served(site.database) as later:
        assert (await later.get("/v1/me", person)).status_code == 401
