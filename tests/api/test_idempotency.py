"""Idempotency-Key over HTTP: one effect and one answer for each thing that is asked for."""

import asyncio
from uuid import uuid4

import pytest

from tests.api.accepted import OTHERS, VERSIONED, Asked, about_a_view, operation_of
from tests.api.site import PASSWORD, projected, served

ACCEPTED = VERSIONED | OTHERS


def keyed(key=None):
    return {"headers": {"Idempotency-Key": key or str(uuid4())}}


async def is_answered_alike(site, name, asked):
    headers = keyed()["headers"]
    first = await asked.sent(site, headers)
    assert first.status_code == asked.status, first.text
    await site.registered()
    asker = await asked.renewed() if asked.renewed else asked.asker
    before = await site.head()
    second = await asked.sent(site, headers, by=asker)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    # A delivery is told as it is by now.
    for header in ("etag", "location", *(() if name == "redrive_delivery" else ("event-position",))):
        assert second.headers.get(header) == first.headers.get(header), header
    assert await site.head() == before


@pytest.mark.parametrize("name", ACCEPTED)
async def test_whatever_is_sent_again_is_answered_alike_and_done_once(site, name):
    await is_answered_alike(site, name, await ACCEPTED[name](site))


async def test_so_are_the_first_sign_up_and_what_is_asked_about_a_view(database):
    async with served(database) as site, projected(database):
        email = site.new_email()
        body = {"token": site.sign_up_token, "email": email, "password": PASSWORD}
        await is_answered_alike(
            site, "sign_up_first_administrator", Asked("POST", "/v1/administrators", body, status=201)
        )
        site.administrator = await site.seen(await site.signed_in(email))
        for name, asked in (await about_a_view(site)).items():
            await is_answered_alike(site, name, asked)


async def test_is_taken_wherever_something_is_changed_but_by_an_import(site):
    described = (await site.get("/openapi.json")).json()["paths"]
    changing = {
        operation["operationId"]: [parameter["name"] for parameter in operation.get("parameters", ())]
        for methods in described.values()
        for method, operation in methods.items()
        if method != "get"
    }
    taking = {name for name, parameters in changing.items() if "Idempotency-Key" in parameters}
    about_views = {"retry_parked_events", "discard_parked_event", "rebuild_projection"}
    assert {*map(operation_of, ACCEPTED), *about_views, "sign_up_first_administrator"} == taking
    assert changing.keys() - taking == {"import_users"}


async def test_a_registration_that_is_sent_again_is_answered_alike_and_done_once(site):
    body, again = {"email": site.new_email(), "password": PASSWORD}, keyed()
    before = await site.head()
    answers = [await site.post("/v1/users", body, **again) for _ in range(3)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert await site.events_after(before) == ["UserRegistered"]


async def test_twenty_at_once_have_one_effect_and_one_answer(site):
    body, again = {"email": site.new_email(), "password": PASSWORD}, keyed()
    before = await site.head()
    answers = await asyncio.gather(*(site.post("/v1/users", body, **again) for _ in range(20)))
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert await site.events_after(before) == ["UserRegistered"]


async def test_a_sign_in_is_answered_with_the_same_tokens(site, somebody):
    body, again = {"email": somebody.email, "password": PASSWORD}, keyed()
    first, second = [await site.post("/v1/sessions", body, **again) for _ in range(2)]
    assert (first.status_code, first.content) == (second.status_code, second.content) == (201, first.content)
    assert first.headers["event-position"] == second.headers["event-position"]
    assert (await site.post("/v1/sessions", body, **keyed())).json()["session_id"] != first.json()["session_id"]


async def test_a_refresh_is_answered_with_the_same_tokens_also_long_after(fresh):
    person = await fresh.person()
    body, again = {"refresh_token": person.tokens["refresh_token"]}, keyed()
    first = await fresh.post("/v1/sessions/refresh", body, **again)
    second = await fresh.post("/v1/sessions/refresh", body, **again)
    assert (first.status_code, first.content) == (second.status_code, second.content) == (200, first.content)


async def test_an_answer_that_is_given_again_does_not_bring_a_revoked_role_back(fresh):
    person = await fresh.person("auditor")
    body, again = {"email": person.email, "password": PASSWORD}, keyed()
    first = await fresh.post("/v1/sessions", body, **again)
    await fresh.request("DELETE", f"/v1/users/{person.id}/roles/auditor", fresh.administrator)
    second = await fresh.post("/v1/sessions", body, **again)
    assert second.content == first.content
    token = {"Authorization": f"Bearer {second.json()['access_token']}"}
    assert (await fresh.get("/v1/events", headers=token)).status_code == 401


async def test_another_request_with_the_same_key_is_422(site, somebody):
    again = keyed()
    path = f"/v1/users/{somebody.id}/profile"
    first = await site.request("PATCH", path, somebody, json={"display_name": "Ada"}, **again)
    other = await site.request("PATCH", path, somebody, json={"display_name": "Bob"}, **again)
    assert first.status_code == 204
    assert other.status_code == 422
    assert other.json()["type"].endswith("/problems/idempotency-key-reused")


async def test_an_id_in_the_path_is_the_same_however_it_is_spelt(site, somebody):
    again, name = keyed(), f"Ada {uuid4()}"
    spellings = (
        *(str(somebody.id), str(somebody.id).upper(), somebody.id.hex),
        *(f"{{{somebody.id}}}", f"urn:uuid:{somebody.id}"),
    )
    before = await site.head()
    answers = [
        await site.request("PATCH", f"/v1/users/{spelt}/profile", somebody, json={"display_name": name}, **again)
        for spelt in spellings
    ]
    taken = [answer for answer in answers if answer.status_code != 404]
    assert len(taken) > 2
    assert {answer.status_code for answer in taken} == {204}
    assert {answer.headers["event-position"] for answer in taken} == {str(before + 1)}
    assert await site.events_after(before) == ["DisplayNameChanged"]


async def test_keys_belong_to_whoever_chose_them(site, somebody):
    other = await site.seen(await site.person())
    again = keyed()
    for person, name in ((somebody, "Ada"), (other, "Bob")):
        path = f"/v1/users/{person.id}/profile"
        answer = await site.request("PATCH", path, person, json={"display_name": name}, **again)
        assert answer.status_code == 204


async def test_a_registration_by_an_administrator_is_answered_alike(fresh):
    body, again = {"email": fresh.new_email(), "password": PASSWORD}, keyed()
    first = await fresh.post("/v1/users", body, fresh.administrator, **again)
    path = f"/v1/users/{first.json()['id']}/profile"
    assert (await fresh.request("PATCH", path, fresh.administrator, json={"display_name": "Ada"})).status_code == 204
    second = await fresh.post("/v1/users", body, fresh.administrator, **again)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    for name in ("etag", "event-position", "location"):
        assert first.headers[name] == second.headers[name]


async def test_refusals_are_decided_anew(site):
    email, again = site.new_email(), keyed()
    body = {"email": email, "password": PASSWORD}
    assert (await site.post("/v1/sessions", body, **again)).status_code == 401
    await site.person(email=email)
    assert (await site.post("/v1/sessions", body, **again)).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "caf\u00e9", "a\tb"])
async def test_what_is_no_key_is_400(site, key):
    body = {"email": site.new_email(), "password": PASSWORD}
    answer = await site.post("/v1/users", body, headers={"Idempotency-Key": key.encode()})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"parameter": "Idempotency-Key", "detail": "Give one key of 1 to 255 visible ASCII characters."}
    ]
