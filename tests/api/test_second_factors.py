"""Enrolling an authenticator app, and signing in with it."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.api.factors import asked_further, enrolled, second_step, signed_in
from tests.apps import App


def kind(answer):
    return answer.json()["type"].rpartition("/")[2]


async def test_the_secret_is_shown_as_text_and_as_a_uri(site):
    person = await site.person()
    before = await site.head()
    answer = await site.post(f"/v1/users/{person.id}/totp", None, person)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    shown = answer.json()
    uri = urlsplit(shown["uri"])
    assert unquote(uri.path) == f"/muster.example:{person.email}"
    assert parse_qs(uri.query)["secret"] == [shown["secret"]]
    assert await site.events_after(before) == ["TotpEnrolled"]
    assert (await site.signed_in(person.email)).id == person.id


async def test_a_first_code_makes_it_a_factor_and_is_answered_with_recovery_codes(site):
    person = await site.person()
    app = App((await site.post(f"/v1/users/{person.id}/totp", None, person)).json()["secret"])
    wrong = await site.post(f"/v1/users/{person.id}/totp/confirm", {"code": app.wrong()}, person)
    assert (wrong.status_code, kind(wrong)) == (403, "wrong-second-factor")
    before = await site.head()
    answer = await site.post(f"/v1/users/{person.id}/totp/confirm", {"code": app.code()}, person)
    assert answer.status_code == 200, answer.text
    assert len(set(answer.json()["recovery_codes"])) == 10
    assert await site.events_after(before) == ["TotpConfirmed", "RecoveryCodesIssued", "SteppedUp"]


async def test_a_second_app_is_not_enrolled_beside_the_first(site):
    who = await enrolled(site)
    again = await signed_in(site, who)
    answer = await site.post(f"/v1/users/{again.id}/totp", None, again)
    assert (answer.status_code, kind(answer)) == (409, "factor-there")


async def test_what_was_not_enrolled_is_not_confirmed(site, somebody):
    answer = await site.post(f"/v1/users/{somebody.id}/totp/confirm", {"code": "123456"}, somebody)
    assert (answer.status_code, kind(answer)) == (409, "not-enrolled")
    codes = await site.post(f"/v1/users/{somebody.id}/recovery-codes", None, somebody)
    assert (codes.status_code, kind(codes)) == (409, "no-second-factor")


async def test_the_password_is_answered_with_what_else_is_asked_for(site):
    who = await enrolled(site)
    before = await site.head()
    problem = await asked_further(site, who.person)
    assert problem.keys() == {
        "type", "title", "status", "detail", "instance", "request_id", "challenge", "methods", "expires_in",
    }  # fmt: skip
    assert (problem["methods"], problem["expires_in"]) == (["totp", "recovery_code"], 300)
    assert await site.head() == before


async def test_a_code_opens_the_session_and_the_event_says_with_what(site):
    who = await enrolled(site)
    answer = await second_step(site, who.person, totp=who.app.code())
    assert answer.status_code == 201, answer.text
    assert answer.json().keys() == who.person.tokens.keys()
    assert "muster_device=" in answer.headers["set-cookie"]
    history = await site.get(f"/v1/users/{who.person.id}/history?limit=200", site.administrator)
    assert history.json()["items"][-1]["data"]["method"] == "password+totp"


async def test_a_recovery_code_opens_it_as_well_once(site):
    who = await enrolled(site)
    before = await site.head()
    assert (await second_step(site, who.person, recovery_code=who.codes[0])).status_code == 201
    assert sorted(await site.events_after(before)) == ["RecoveryCodeUsed", "SessionStarted"]
    again = await second_step(site, who.person, recovery_code=who.codes[0])
    assert (again.status_code, kind(again)) == (401, "invalid-second-factor")


async def test_what_is_wrong_with_a_second_step_is_told_apart(site):
    who = await enrolled(site)
    wrong = await second_step(site, who.person, totp=who.app.wrong())
    assert (wrong.status_code, kind(wrong)) == (401, "invalid-second-factor")
    forged = await second_step(site, who.person, "A" * 107, totp=who.app.code())
    assert (forged.status_code, kind(forged)) == (401, "invalid-challenge")
    assert wrong.headers["www-authenticate"] == 'Bearer realm="muster"'


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/email", "/password"]),
        ({"email": "a@example.com"}, ["/password"]),
        ({"email": "a@example.com", "password": "x", "totp": "123456"}, ["/totp"]),
        ({"email": "a@example.com", "password": "x", "challenge": "x", "totp": "123456"}, ["/challenge", "/totp"]),
        ({"challenge": "x"}, ["/totp"]),
        ({"passkey": "x"}, ["/passkey"]),
        ({"challenge": "x", "passkey": {}}, ["/passkey"]),
        ({"challenge": "x", "totp": "12345"}, ["/totp"]),
        ({"challenge": "x", "totp": 123456}, ["/totp"]),
        ({"challenge": "x", "totp": "123456", "recovery_code": "x"}, ["/recovery_code"]),
        ({"challenge": "x", "recovery_code": "x", "device": "x"}, ["/device"]),
        ({"challenge": ["x"], "totp": None}, ["/challenge", "/totp"]),
    ],
)
async def test_a_body_has_one_form_and_what_is_wrong_with_it_is_told_at_once(site, body, pointers):
    answer = await site.post("/v1/sessions", body)
    assert (answer.status_code, kind(answer)) == (400, "invalid-fields")
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


async def test_the_forms_are_described(site):
    schemas = (await site.get("/openapi.json")).json()["components"]["schemas"]
    forms = schemas["SignInBody"]["oneOf"]
    assert [form["required"] for form in forms][:3] == [
        ["email", "password"],
        ["challenge", "totp"],
        ["challenge", "recovery_code"],
    ]
    for form in forms:
        assert form["additionalProperties"] is False
        assert form["properties"].keys() == {*form["required"]}


async def test_an_app_that_is_removed_is_asked_for_no_more(site):
    who = await enrolled(site)
    person = await signed_in(site, who)
    before = await site.head()
    tried = await site.request("DELETE", f"/v1/users/{person.id}/totp", person, headers={"Prefer": "dry-run"})
    assert [event["type"] for event in tried.json()["events"]] == ["TotpRemoved"]
    answer = await site.request("DELETE", f"/v1/users/{person.id}/totp", person, json={"reason": "A new telephone."})
    assert answer.status_code == 204
    again = await site.request("DELETE", f"/v1/users/{person.id}/totp", person)
    assert again.status_code == 204
    assert await site.events_after(before) == ["TotpRemoved"]
    assert (await site.signed_in(person.email)).id == person.id


async def test_recovery_codes_are_issued_anew(site):
    who = await enrolled(site)
    person = await signed_in(site, who)
    answer = await site.post(f"/v1/users/{person.id}/recovery-codes", None, person)
    assert answer.status_code == 200, answer.text
    (code, *_) = answer.json()["recovery_codes"]
    assert (await second_step(site, person, recovery_code=who.codes[0])).status_code == 401
    assert (await second_step(site, person, recovery_code=code)).status_code == 201


async def test_the_same_request_with_its_key_is_answered_alike(site):
    who = await enrolled(site)
    challenge = (await asked_further(site, who.person))["challenge"]
    body = {"challenge": challenge, "totp": who.app.code()}
    answers = [await site.post("/v1/sessions", body, headers={"Idempotency-Key": "a-second-step"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_a_reset_of_the_password_leaves_the_factor(site):
    who = await enrolled(site)
    await site.post("/v1/password/reset", {"email": who.person.email})
    token = await site.newest_link(who.person.id, "PasswordResetRequested", "reset-password")
    new = "another horse, another staple"
    done = await site.post("/v1/password/reset/complete", {"token": token, "password": new})
    assert done.status_code == 204
    challenge = (await asked_further(site, who.person, new))["challenge"]
    assert (await second_step(site, who.person, challenge, totp=who.app.code())).status_code == 201
