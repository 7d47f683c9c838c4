"""What is done to passkeys: other challenges, pages and users, copies, replays, and bytes that are none."""

import asyncio
import base64
import json

import cbor2
import pytest

from commands.links import UNDO_EMAIL_CHANGE
from events.connections import connect
from tests.api.factors import asked_further, passkey_challenge, second_step, with_passkey
from tests.api.site import Person
from tests.api.test_passwords import NEW, reset_token
from tests.authenticators import PRESENT, Authenticator, base64url


def kind(answer):
    return answer.json()["type"].rpartition("/")[2]


def other_origin(authenticator):
    authenticator.origin = "https://evil.example"


def other_port(authenticator):
    authenticator.origin += ":8443"


def plain_http(authenticator):
    authenticator.origin = authenticator.origin.replace("https", "http")


def other_domain(authenticator):
    authenticator.rp_id = "evil.example"


def nobody_there(authenticator):
    authenticator.flags &= ~PRESENT


def user_not_verified(authenticator):
    authenticator.flags = PRESENT


def other_type(authenticator):
    authenticator.more = {"type": "webauthn.something"}


def framed(authenticator):
    authenticator.more = {"crossOrigin": True, "topOrigin": "https://evil.example"}


def other_challenge(authenticator):
    authenticator.more = {"challenge": base64url(b"c" * 80)}


LIES = [
    other_origin, other_port, plain_http, other_domain, nobody_there, user_not_verified, other_type, framed,
    other_challenge,
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_what_was_made_otherwise_is_not_added(site, somebody, lie):
    authenticator = Authenticator(site.settings.base_url)
    options = (await site.post(f"/v1/users/{somebody.id}/passkeys/options", None, somebody)).json()
    lie(authenticator)
    options["rp"]["id"] = authenticator.rp_id
    before = await site.head()
    body = {"label": "A key", "credential": authenticator.make(options)}
    answer = await site.post(f"/v1/users/{somebody.id}/passkeys", body, somebody)
    assert (answer.status_code, kind(answer)) == (400, "invalid-passkey")
    assert await site.head() == before


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_what_was_signed_otherwise_opens_nothing(site, lie):
    person, authenticator, _added = await with_passkey(site)
    lie(authenticator)
    before = await site.head()
    alone = await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    assert alone.status_code == 401
    assert kind(alone) in ("unknown-passkey", "invalid-challenge")
    challenge = (await asked_further(site, person))["challenge"]
    beside = await second_step(site, person, challenge, passkey=authenticator.sign(challenge))
    assert (beside.status_code, kind(beside)) == (401, "invalid-second-factor")
    assert await site.head() == before


async def test_a_challenge_for_one_thing_is_good_for_nothing_else(site):
    person, authenticator, _added = await with_passkey(site)
    to_add = (await site.post(f"/v1/users/{person.id}/passkeys/options", None, person)).json()
    to_sign_in, second = await passkey_challenge(site), (await asked_further(site, person))["challenge"]
    for challenge in (to_add["challenge"], second):
        answer = await site.post("/v1/sessions", {"passkey": authenticator.sign(challenge)})
        assert (answer.status_code, kind(answer)) == (401, "invalid-challenge")
    for challenge in (to_add["challenge"], to_sign_in):
        answer = await second_step(site, person, challenge, passkey=authenticator.sign(challenge))
        assert (answer.status_code, kind(answer)) == (401, "invalid-challenge")
    for challenge in (to_sign_in, second):
        body = {"label": "A key", "credential": authenticator.make({**to_add, "challenge": challenge})}
        answer = await site.post(f"/v1/users/{person.id}/passkeys", body, person)
        assert (answer.status_code, kind(answer)) == (400, "invalid-passkey")
    step_up = f"/v1/sessions/{person.session_id}/step-up"
    for challenge in (to_add["challenge"], to_sign_in, second):
        answer = await site.post(step_up, {"passkey": authenticator.sign(challenge)}, person)
        assert (answer.status_code, kind(answer)) == (403, "wrong-second-factor")


async def test_the_challenge_of_one_user_adds_nothing_to_another(site, somebody):
    other = await site.person()
    options = (await site.post(f"/v1/users/{other.id}/passkeys/options", None, other)).json()
    body = {"label": "A key", "credential": Authenticator(site.settings.base_url).make(options)}
    answer = await site.post(f"/v1/users/{somebody.id}/passkeys", body, somebody)
    assert (answer.status_code, kind(answer)) == (400, "invalid-passkey")


async def test_what_was_made_is_added_once_also_after_it_was_removed(site):
    person = await site.person()
    options = (await site.post(f"/v1/users/{person.id}/passkeys/options", None, person)).json()
    body = {"label": "A key", "credential": Authenticator(site.settings.base_url).make(options)}
    answers = await asyncio.gather(*(site.post(f"/v1/users/{person.id}/passkeys", body, person) for _ in range(10)))
    assert [answer.status_code for answer in answers].count(200) == 1
    (added,) = [answer.json() for answer in answers if answer.status_code == 200]
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    person.tokens = refreshed.json()
    removed = await site.request("DELETE", f"/v1/users/{person.id}/passkeys/{added['id']}", person)
    assert removed.status_code == 204
    again = await site.post(f"/v1/users/{person.id}/passkeys", body, person)
    assert (again.status_code, kind(again)) == (400, "invalid-passkey")


async def test_what_was_signed_once_opens_one_session_however_often_it_is_sent(site):
    _person, authenticator, _added = await with_passkey(site)
    signed, before = authenticator.sign(await passkey_challenge(site)), await site.head()
    answers = await asyncio.gather(*(site.post("/v1/sessions", {"passkey": signed}) for _ in range(20)))
    assert [answer.status_code for answer in answers].count(201) == 1
    assert await site.events_after(before) == ["SessionStarted"]
    late = await site.post("/v1/sessions", {"passkey": signed})
    assert (late.status_code, kind(late)) == (401, "invalid-challenge")


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a_count_that_does_not_go_on_is_refused_and_recorded(site, count):
    person, authenticator, _added = await with_passkey(site)
    authenticator.held[0].count = 4
    assert (
        await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    ).status_code == 201
    authenticator.held[0].count, before = count - 1, await site.head()
    challenge = (await asked_further(site, person))["challenge"]
    copied = await second_step(site, person, challenge, passkey=authenticator.sign(challenge))
    assert (copied.status_code, kind(copied)) == (401, "invalid-second-factor")
    assert await site.events_after(before) == ["PasskeyCountWentBack"]
    authenticator.held[0].count = 5
    assert (
        await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    ).status_code == 201


async def test_anothers_passkey_opens_nothing(site):
    mine, authenticator, _added = await with_passkey(site)
    theirs, other, _added = await with_passkey(site)
    challenge = (await asked_further(site, theirs))["challenge"]
    assert (await second_step(site, theirs, challenge, passkey=authenticator.sign(challenge))).status_code == 401
    authenticator.held[0].user_handle = theirs.id.bytes
    alone = await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    assert (alone.status_code, kind(alone)) == (401, "unknown-passkey")
    authenticator.held[0].credential_id = other.held[0].credential_id
    forged = await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    assert (forged.status_code, kind(forged)) == (401, "unknown-passkey")
    assert mine.id != theirs.id


@pytest.mark.parametrize("handle", [b"", b"x", b"\x00" * 16, b"x" * 64])
async def test_a_passkey_of_nobody_opens_nothing(site, handle):
    _person, authenticator, _added = await with_passkey(site)
    authenticator.held[0].user_handle = handle
    answer = await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    assert (answer.status_code, kind(answer)) == (401, "unknown-passkey")


async def test_whoever_is_suspended_is_not_let_in_by_a_passkey(site):
    person, authenticator, _added = await with_passkey(site)
    assert (await site.post(f"/v1/users/{person.id}/suspend", {}, site.administrator)).status_code == 204
    answer = await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    assert (answer.status_code, kind(answer)) == (401, "unknown-passkey")


@pytest.mark.parametrize("first", ["passkey", "address"])
async def test_whoever_took_an_account_is_out_with_what_they_added_once_it_is_taken_back(site, first):
    thief = owner = await site.person()

    async def adds_passkey(who):
        _who, authenticator, _added = await with_passkey(site, who)
        return authenticator

    if first == "passkey":
        authenticator = await adds_passkey(thief)
        signed = await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
        await site.moved(Person(owner.id, owner.email, signed.json()))
    else:
        await site.moved(thief)
        authenticator = await adds_passkey(thief)
    before = await site.head()
    token = await site.newest_link(owner.id, "EmailChanged", UNDO_EMAIL_CHANGE)
    assert (await site.post(f"/v1/users/{owner.id}/email/undo", {"token": token})).status_code == 204
    assert (await site.events_after(before))[:2] == ["EmailChangeUndone", "PasskeyRemoved"]
    alone = await site.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(site))})
    assert (alone.status_code, kind(alone)) == (401, "unknown-passkey")
    kept = await site.database.query("SELECT kind FROM secrets WHERE owner_id = $1", owner.id)
    assert kept == []
    body = {"token": await reset_token(site, owner), "password": NEW}
    assert (await site.post("/v1/password/reset/complete", body)).status_code == 204
    assert (await site.signed_in(owner.email, NEW)).id == owner.id


def spoilt(credential, part, value):
    return {**credential, "response": {**credential["response"], part: value}}


BYTES = ["", "A", "AAAA", base64url(b"{}"), base64url(b"[]"), base64url(b"null"), base64url(b"\xff" * 40)]
BYTES += [base64url(json.dumps({"type": "webauthn.get", "challenge": 7, "origin": []}).encode())]
BYTES += [base64url(b'{"a":' * 2000), base64url(b"\x81" * 5000), base64url(cbor2.dumps({"fmt": "none"}))]


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
async def test_bytes_that_are_none_are_refused_at_signing_in(site, part):
    _person, authenticator, _added = await with_passkey(site)
    challenge = await passkey_challenge(site)
    for value in BYTES:
        answer = await site.post("/v1/sessions", {"passkey": spoilt(authenticator.sign(challenge), part, value)})
        assert answer.status_code == 401, value


@pytest.mark.parametrize("part", ["clientDataJSON", "attestationObject"])
async def test_bytes_that_are_none_are_refused_at_adding(site, somebody, part):
    authenticator = Authenticator(site.settings.base_url)
    options = (await site.post(f"/v1/users/{somebody.id}/passkeys/options", None, somebody)).json()
    made = authenticator.make(options)
    object_ = cbor2.loads(base64.urlsafe_b64decode(made["response"]["attestationObject"] + "=="))
    cut = [base64url(cbor2.dumps({**object_, "authData": object_["authData"][:length]})) for length in (0, 36, 37, 60)]
    others = [base64url(cbor2.dumps({**object_, "fmt": fmt})) for fmt in ("packed", "tpm", "nonsense", 7)]
    for value in [*BYTES, *cut, *others]:
        body = {"label": "A key", "credential": spoilt(made, part, value)}
        answer = await site.post(f"/v1/users/{somebody.id}/passkeys", body, somebody)
        assert (answer.status_code, kind(answer)) == (400, "invalid-passkey"), value


async def test_a_passkey_that_does_not_open_lets_nobody_in(fresh):
    person, authenticator, _added = await with_passkey(fresh)
    owner = await connect(fresh.database.owner_url, "tests")
    await owner.execute(
        "UPDATE secrets SET sealed = sealed || '\\x00' WHERE owner_id = $1 AND kind = 'passkeys'", person.id
    )
    await owner.close()
    answer = await fresh.post("/v1/sessions", {"passkey": authenticator.sign(await passkey_challenge(fresh))})
    assert (answer.status_code, kind(answer)) == (401, "unknown-passkey")
