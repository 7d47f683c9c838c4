"""Passkeys: added, used without a password and beside one, listed and removed."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from commands.authentication import Authentication
from tests.api.factors import asked_further, enrolled, passkey_challenge, second_step, with_passkey
from tests.api.site import Person
from tests.authenticators import Authenticator


def kind(answer):
    return answer.json()["type"].rpartition("/")[2]


async def stale(site, person):
    """What is answered for what is dangerous when the proof is too old: by a token that was minted as a refresh would."""
    now = datetime.now(UTC)
    proof = Authentication(now - timedelta(hours=1), ("password", "passkey"), factor_expected=True)
    said = jwt.decode(person.tokens["access_token"], options={"verify_signature": False})
    minted = site.app.process.tokens.mint(person.id, said["sid"], (), await site.head(), now, uuid4(), proof)
    old = Person(person.id, person.email, {**person.tokens, "access_token": minted})
    answer = await site.post(f"/v1/users/{person.id}/recovery-codes", None, old)
    assert (answer.status_code, kind(answer)) == (401, "step-up-required"), answer.text
    return answer.json()


async def test_the_browser_is_told_what_to_make(site):
    person = await site.person()
    before = await site.head()
    answer = await site.post(f"/v1/users/{person.id}/passkeys/options", None, person)
    options = answer.json()
    assert (answer.status_code, await site.head()) == (200, before)
    assert options["rp"] == {"id": "muster.example", "name": "muster.example"}
    assert base64.urlsafe_b64decode(options["user"]["id"] + "==") == person.id.bytes
    assert (options["user"]["name"], options["user"]["displayName"]) == (person.email, person.email)
    assert [parameter["alg"] for parameter in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert (options["attestation"], options["timeout"], options["excludeCredentials"]) == ("none", 300_000, [])


async def test_what_it_has_made_is_added_with_recovery_codes(site):
    before = await site.head()
    person, _authenticator, added = await with_passkey(site)
    assert added["label"] == "My telephone"
    assert len(set(added["recovery_codes"])) == 10
    assert (await site.events_after(before))[-3:] == ["PasskeyAdded", "RecoveryCodesIssued", "SteppedUp"]
    history = await site.get(f"/v1/users/{person.id}/history?limit=200", site.administrator)
    (event,) = [event for event in history.json()["items"] if event["type"] == "PasskeyAdded"]
    assert event["data"] == {"passkey_id": added["id"], "label": "My telephone"}


async def test_another_is_added_beside_it_and_is_told_of_the_first(site):
    person, first, _added = await with_passkey(site)
    options = (await site.post(f"/v1/users/{person.id}/passkeys/options", None, person)).json()
    (known,) = options["excludeCredentials"]
    assert base64.urlsafe_b64decode(known["id"] + "==") == first.held[0].credential_id
    assert (known["type"], known["transports"]) == ("public-key", ["internal"])
    person, _other, added = await with_passkey(site, person)
    assert added["recovery_codes"] == [], "those of before are good still"
    listed = (await site.get(f"/v1/users/{person.id}/passkeys", person)).json()["items"]
    assert [passkey["label"] for passkey in listed] == ["My telephone", "My telephone"]


async def test_it_signs_in_without_address_and_password(site):
    person, authenticator, added = await with_passkey(site)
    challenge, before = await passkey_challenge(site), await site.head()
    answer = await site.post("/v1/sessions", {"passkey": authenticator.sign(challenge)})
    assert answer.status_code == 201, answer.text
    assert answer.json()["user_id"] == str(person.id)
    assert "muster_device=" in answer.headers["set-cookie"]
    assert await site.events_after(before) == ["SessionStarted"]
    said = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (said["acr"], said["amr"]) == ("two-factors", ["pop", "mfa"])
    (passkey,) = (await site.get(f"/v1/users/{person.id}/passkeys", person)).json()["items"]
    assert passkey["id"] == added["id"]
    assert passkey["last_used_at"] > passkey["added_at"]


async def test_it_is_a_second_factor_beside_the_password(site):
    person, authenticator, added = await with_passkey(site)
    problem = await asked_further(site, person)
    assert problem["methods"] == ["passkey", "recovery_code"]
    answer = await second_step(site, person, problem["challenge"], passkey=authenticator.sign(problem["challenge"]))
    assert answer.status_code == 201, answer.text
    history = await site.get(f"/v1/users/{person.id}/history?limit=200", site.administrator)
    assert history.json()["items"][-1]["data"]["method"] == "password+passkey"
    by_code = await second_step(site, person, recovery_code=added["recovery_codes"][0])
    assert by_code.status_code == 201


async def test_any_factor_will_do(site):
    who = await enrolled(site)
    person, authenticator, added = await with_passkey(site, who.person)
    assert added["recovery_codes"] == []
    problem = await asked_further(site, person)
    assert problem["methods"] == ["totp", "passkey", "recovery_code"]
    by_passkey = await second_step(site, person, problem["challenge"], passkey=authenticator.sign(problem["challenge"]))
    by_app = await second_step(site, person, totp=who.app.code())
    assert (by_passkey.status_code, by_app.status_code) == (201, 201)


async def test_one_that_does_not_count_is_taken_each_time(site):
    _person, authenticator, _added = await with_passkey(
        site, authenticator=Authenticator(site.settings.base_url, counts=False)
    )
    for _ in range(2):
        challenge = await passkey_challenge(site)
        assert (await site.post("/v1/sessions", {"passkey": authenticator.sign(challenge)})).status_code == 201


async def test_it_steps_a_session_up(site):
    person, authenticator, _added = await with_passkey(site)
    problem = await stale(site, person)
    assert problem["methods"] == ["passkey", "recovery_code"]
    path = f"/v1/sessions/{person.session_id}/step-up"
    body = {"passkey": authenticator.sign(problem["challenge"])}
    answer = await site.post(path, body, person)
    assert answer.status_code == 200, answer.text
    fresh = Person(person.id, person.email, {**person.tokens, **answer.json()})
    assert (await site.post(f"/v1/users/{person.id}/recovery-codes", None, fresh)).status_code == 200
    again = await site.post(path, body, person)
    assert (again.status_code, kind(again)) == (403, "wrong-second-factor")


async def test_one_that_was_removed_opens_nothing(site):
    person, authenticator, added = await with_passkey(site)
    path, before = f"/v1/users/{person.id}/passkeys/{added['id']}", await site.head()
    tried = await site.request("DELETE", path, person, headers={"Prefer": "dry-run"})
    assert [event["type"] for event in tried.json()["events"]] == ["PasskeyRemoved"]
    assert (await site.request("DELETE", path, person, json={"reason": "lost"})).status_code == 204
    again = await site.request("DELETE", path, person)
    assert (again.status_code, kind(again)) == (404, "no-such-passkey")
    assert await site.events_after(before) == ["PasskeyRemoved"]
    challenge = await passkey_challenge(site)
    refused = await site.post("/v1/sessions", {"passkey": authenticator.sign(challenge)})
    assert (refused.status_code, kind(refused)) == (401, "unknown-passkey")
    assert (await site.signed_in(person.email)).id == person.id
    rows = await site.database.query("SELECT kind FROM secrets WHERE owner_id = $1", person.id)
    assert [row["kind"] for row in rows] == ["password"]


async def test_it_is_ones_own(site, somebody):
    person, _authenticator, added = await with_passkey(site)
    for who in (somebody, site.administrator):
        for method, path in (("GET", ""), ("POST", "/options"), ("DELETE", f"/{added['id']}")):
            answer = await site.request(method, f"/v1/users/{person.id}/passkeys{path}", who)
            assert (answer.status_code, kind(answer)) == (404, "no-such-user")
    mine = await site.request("DELETE", f"/v1/users/{somebody.id}/passkeys/{added['id']}", somebody)
    assert (mine.status_code, kind(mine)) == (404, "no-such-passkey")


@pytest.mark.parametrize("label", ["", " ", "a\u202eb", "x" * 101])
async def test_a_label_is_harmless(site, somebody, label):
    options = (await site.post(f"/v1/users/{somebody.id}/passkeys/options", None, somebody)).json()
    body = {"label": label, "credential": Authenticator(site.settings.base_url).make(options)}
    answer = await site.post(f"/v1/users/{somebody.id}/passkeys", body, somebody)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/label"]
