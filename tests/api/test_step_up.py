"""What is dangerous is done by those who proved lately who they are."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from commands.authentication import Authentication
from tests.api.factors import enrolled, signed_in
from tests.api.site import PASSWORD, Person

NEW = "another horse, another staple"


def kind(answer):
    return answer.json()["type"].rpartition("/")[2]


def said(token):
    return jwt.decode(token, options={"verify_signature": False})


async def tired(site, person, *roles, minutes=20.0, known=True, **about):
    """The same person in the same session, when the proof was so long ago, with a token that has just been refreshed."""
    now = datetime.now(UTC)
    proof = Authentication(now - timedelta(minutes=minutes), ("password",), **about) if known else None
    session_id = said(person.tokens["access_token"])["sid"]
    minted = site.app.process.tokens.mint(person.id, session_id, roles, await site.head(), now, uuid4(), proof)
    return Person(person.id, person.email, {**person.tokens, "access_token": minted})


async def stepped_up(site, person, **given):
    answer = await site.post(f"/v1/sessions/{person.session_id}/step-up", given, person)
    assert answer.status_code == 200, answer.text
    return Person(person.id, person.email, {**person.tokens, **answer.json()})


OF_ONES_OWN = [
    ("POST", "password/change", {"password": PASSWORD, "new_password": NEW}),
    ("POST", "email/change", {"email": "elsewhere@example.com", "password": PASSWORD}),
    ("POST", "totp", None),
    ("POST", "erase", {"password": PASSWORD}),
]
OF_OTHERS: list[tuple[str, str, dict[str, str] | None]] = [
    ("PUT", "roles/auditor", None),
    ("DELETE", "roles/auditor", None),
    ("POST", "suspend", {}),
    ("POST", "reinstate", {}),
    ("POST", "erase", {}),
]


async def test_the_token_tells_when_and_with_what(site):
    before = int(datetime.now(UTC).timestamp())
    person = await site.person()
    token = said(person.tokens["access_token"])
    assert before <= token["auth_time"] <= token["iat"]
    assert (token["amr"], token["acr"]) == (["pwd"], "one-factor")
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    again = said(refreshed.json()["access_token"])
    assert {name: again[name] for name in ("auth_time", "amr", "acr")} == {
        name: token[name] for name in ("auth_time", "amr", "acr")
    }
    who = await enrolled(site)
    two = said((await signed_in(site, who)).tokens["access_token"])
    assert (two["amr"], two["acr"]) == (["pwd", "otp", "mfa"], "two-factors")


@pytest.mark.parametrize(("method", "path", "body"), OF_ONES_OWN)
async def test_what_is_ones_own_takes_a_fresh_proof(site, method, path, body):
    person = await tired(site, await site.person())
    before = await site.head()
    url = f"/v1/users/{person.id}/{path}"
    refused = await site.request(method, url, person, json=body)
    assert (refused.status_code, kind(refused)) == (401, "step-up-required")
    assert refused.json()["methods"] == ["password"]
    assert await site.head() == before
    done = await site.request(method, url, await stepped_up(site, person, password=PASSWORD), json=body)
    assert done.status_code in (200, 204), done.text


@pytest.mark.parametrize(("method", "path", "body"), OF_OTHERS)
async def test_what_is_done_to_others_takes_one_as_well(site, method, path, body):
    administrator, person = await site.person("administrator"), await site.person()
    before = await site.head()
    url = f"/v1/users/{person.id}/{path}"
    refused = await site.request(method, url, await tired(site, administrator, "administrator"), json=body)
    assert (refused.status_code, kind(refused)) == (401, "step-up-required")
    assert await site.head() == before
    assert (await site.request(method, url, administrator, json=body)).status_code == 204


async def test_the_challenge_is_that_of_rfc_9470(site):
    person = await tired(site, await site.person())
    refused = await site.post(f"/v1/users/{person.id}/totp", None, person)
    challenge = refused.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="muster", error="insufficient_user_authentication"')
    assert 'max_age="900"' in challenge
    assert "acr_values" not in challenge


async def test_a_proof_is_fresh_for_as_long_as_is_set(site):
    person = await site.person()
    for minutes, status in ((14.5, 200), (15.5, 401)):
        tried = await tired(site, person, minutes=minutes)
        assert (await site.post(f"/v1/users/{person.id}/totp", None, tried)).status_code == status


async def test_a_token_of_before_does_what_it_did_but_for_what_is_dangerous(site):
    person = await tired(site, await site.person(), known=False)
    await site.seen(person)
    refused = await site.post(f"/v1/users/{person.id}/totp", None, person)
    assert (refused.status_code, kind(refused)) == (401, "step-up-required")
    fresh = await stepped_up(site, person, password=PASSWORD)
    assert (await site.post(f"/v1/users/{person.id}/totp", None, fresh)).status_code == 200


async def test_whoever_has_a_second_factor_gives_it(site):
    person = await site.person()
    other = await site.signed_in(person.email)
    who = await enrolled(site, other)
    assert (await site.get("/v1/me", person)).status_code == 401, "tokens of before do not know of it"
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    person = Person(person.id, person.email, refreshed.json())
    path = f"/v1/users/{person.id}/recovery-codes"
    refused = await site.post(path, None, person)
    assert (refused.status_code, kind(refused)) == (401, "step-up-required")
    assert refused.json()["methods"] == ["totp", "recovery_code"]
    assert 'acr_values="two-factors"' in refused.headers["www-authenticate"]
    step_up = f"/v1/sessions/{person.session_id}/step-up"
    by_password = await site.post(step_up, {"password": PASSWORD}, person)
    assert (by_password.status_code, kind(by_password)) == (401, "second-factor-required")
    assert by_password.json()["methods"] == ["totp", "recovery_code"]
    assert "challenge" not in by_password.json()
    wrong = await site.post(step_up, {"totp": who.app.wrong()}, person)
    assert (wrong.status_code, kind(wrong)) == (403, "wrong-second-factor")
    fresh = await stepped_up(site, person, recovery_code=who.codes[0])
    assert (await site.post(path, None, fresh)).status_code == 200


async def test_confirming_a_factor_is_a_proof(site):
    who = await enrolled(site)
    told = said(who.person.tokens["access_token"])
    assert (told["acr"], told["factor_expected"]) == ("two-factors", True)
    codes = await site.post(f"/v1/users/{who.person.id}/recovery-codes", None, who.person)
    assert codes.status_code == 200, codes.text


async def test_a_session_is_stepped_up_by_its_own_holder_in_itself(site):
    person, other = await site.person(), await site.person()
    second = await site.signed_in(person.email)
    for who, session in ((other, person), (second, person), (site.administrator, person)):
        answer = await site.post(f"/v1/sessions/{session.session_id}/step-up", {"password": PASSWORD}, who)
        assert (answer.status_code, kind(answer)) == (404, "no-such-session")


async def test_a_wrong_password_is_refused_and_counted(site):
    person = await site.person()
    path = f"/v1/sessions/{person.session_id}/step-up"
    answer = await site.post(path, {"password": "something else"}, person)
    assert (answer.status_code, kind(answer)) == (403, "wrong-password")
    without = await site.post(path, {"totp": "123456"}, person)
    assert (without.status_code, kind(without)) == (409, "no-second-factor")


async def test_nothing_is_read_for_those_who_are_fresh(site, monkeypatch):
    async def read(*_arguments, **_named):
        raise AssertionError("it was read")

    monkeypatch.setattr("api.step_up.read_stream", read)
    person = await site.person()
    assert (await site.post(f"/v1/users/{person.id}/totp", None, person)).status_code == 200


async def test_why_one_proves_it_stands_in_the_history_beside_the_proof(site, auditor):
    person = await site.person()
    step_up = f"/v1/sessions/{person.session_id}/step-up"
    assert (await site.post(step_up, {"password": PASSWORD, "reason": "to move"}, person)).status_code == 200
    history = (await site.get(f"/v1/users/{person.id}/history", auditor)).json()["items"]
    assert (history[-1]["type"], history[-1]["reason"]) == ("SteppedUp", "to move")
    for body, pointers in (
        ({"reason": "to move"}, {"/password"}),
        ({"totp": "123456", "password": PASSWORD, "reason": "x"}, {"/totp"}),
        ({"password": PASSWORD, "reason": ""}, {"/reason"}),
    ):
        answer = await site.post(step_up, body, person)
        assert answer.status_code == 400, body
        assert {error["pointer"] for error in answer.json()["errors"]} == pointers
