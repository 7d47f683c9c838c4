"""What is done to passwords and sessions."""

import asyncio
import json
import sys
import unicodedata
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from api.migrating import migrated
from commands.secrets import PASSWORD as KIND
from commands.secrets import Secret
from events.connections import connect
from tests.api.process import Process
from tests.api.site import PASSWORD, Site, settings_for
from tests.enumeration.wire import Wire, request
from tests.support import Database

pytestmark = pytest.mark.real_hashes

MIXED = "".join(chr(0x21 + number % 0x5B) for number in range(0, 11 * 1024, 11))


@pytest.mark.parametrize(
    "password",
    [
        MIXED[:12],
        MIXED[:73],
        MIXED[:128],
        MIXED[:1024],
        "".join(chr(0xE0 + number % 0x17) for number in range(0, 7 * 512, 7)),
        "".join(chr(0x1F400 + number % 0x40) for number in range(0, 7 * 1000, 7)),
        " leading and trailing ",
        "\x7f\x01 control characters",
    ],
    ids=lambda password: f"{password[:6]!a} x {len(password)}",
)
async def test_a_password_is_never_cut(site, password):
    email = site.new_email()
    user_id = await site.registered(email, password)
    await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
    await site.signed_in(email, password)
    for other in (password[:-1], password + "x", password[:72] if len(password) > 72 else password.swapcase() + "!"):
        assert (await site.post("/v1/sessions", {"email": email, "password": other})).status_code == 401


async def test_the_same_password_from_another_keyboard_lets_the_person_in(site):
    email, password = site.new_email(), "\u00fcber\u00e9t\u00e9 und \u00c5ngstr\u00f6m"
    user_id = await site.registered(email, unicodedata.normalize("NFC", password))
    await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
    await site.signed_in(email, unicodedata.normalize("NFD", password))


@pytest.mark.parametrize("password", ["", "short", MIXED[:11], MIXED + "x", MIXED * 4 + "x"])
async def test_a_password_of_another_length_is_refused(site, password):
    answer = await site.post("/v1/users", {"email": site.new_email(), "password": password})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/password"]


async def test_common_passwords_are_refused(site):
    for password in ("password1234", "P4ssw0rd1234", "Password2026!!", "qwertyqwerty", "123456789012", "aaaaaaaaaaaa"):
        answer = await site.post("/v1/users", {"email": site.new_email(), "password": password})
        assert answer.status_code == 400, password
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/password"]
        assert password not in answer.text


async def test_ones_own_address_and_the_products_name_are_refused(site):
    email = "someone.special@example.com"
    for password in (email, email.upper(), "Someone.Special1", "Muster-Muster-1", "muster2026!!"):
        answer = await site.post("/v1/users", {"email": email, "password": password})
        assert answer.status_code == 400, password


NO_HASHES = {
    "malformed": b"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA",
    "of an unknown scheme": b"$argon3$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + b"A" * 43,
    "no text": b"\xff" * 97,
}
# What the alarm says.
BROKEN = {
    "gone": "The hash of somebody's password is gone",
    "altered": "does not open: it was altered",
    "malformed": "is malformed or of no known kind",
    "of an unknown scheme": "is malformed or of no known kind",
    "no text": "can't decode byte",
}


async def break_secrets(site: Site, subject: UUID, how: str) -> None:
    """Do what nobody can with the rights of the application."""
    owner = await connect(site.database.owner_url, "tests")
    if how == "gone":
        await owner.execute("DELETE FROM secrets WHERE subject_id = $1", subject)
    elif how == "altered":
        await owner.execute("UPDATE secrets SET sealed = sealed || '\\x00' WHERE subject_id = $1", subject)
    else:
        key = await site.database.keys.key_of(owner, subject)
        assert key is not None
        sealed = key.seal(NO_HASHES[how], Secret.place(subject, KIND, 1))
        await owner.execute("UPDATE secrets SET sealed = $1 WHERE owner_id = $2 AND kind = $3", sealed, subject, KIND)
    await owner.close()


@pytest.mark.parametrize("how", BROKEN)
async def test_a_stored_hash_that_is_missing_or_broken_is_401_and_an_alarm(site, how):
    person = await site.person()
    await break_secrets(site, person.id, how)
    with capture_logs() as logged:
        answer = await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("/problems/invalid-credentials")
    (alarm,) = [line for line in logged if line["log_level"] == "error"]
    assert alarm["event"] == "a stored password is broken"
    assert BROKEN[how] in str(alarm["exc_info"])


async def test_an_account_without_a_password_is_401_and_no_alarm(fresh):
    with capture_logs() as logged:
        answer = await fresh.post("/v1/sessions", {"email": "nobody@example.com", "password": PASSWORD})
    assert answer.status_code == 401
    assert [line for line in logged if line["log_level"] == "error"] == []


async def test_what_asks_for_a_password_that_is_broken_is_refused_and_an_alarm(fresh):
    person = await fresh.person()
    await break_secrets(fresh, person.id, "altered")
    password = {"password": PASSWORD}
    asked = {
        f"/v1/users/{person.id}/password/change": password | {"new_password": "a saddle, a stable, a barn"},
        f"/v1/users/{person.id}/email/change": password | {"email": "another@example.com"},
        f"/v1/users/{person.id}/erase": password,
        f"/v1/sessions/{person.session_id}/step-up": password,
    }
    for path, body in asked.items():
        with capture_logs() as logged:
            answer = await fresh.post(path, body, person)
        assert answer.json()["type"].endswith("/problems/wrong-password"), path
        assert [line["event"] for line in logged if line["log_level"] == "error"], path
    refreshed = await fresh.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert refreshed.json()["type"].endswith("/problems/invalid-refresh-token")
    assert (await fresh.get(f"/v1/users/{person.id}/sessions", person)).json() == {"items": []}


@pytest.mark.quiet
async def test_a_flood_of_sign_ins_leaves_the_process_answering(database: Database, tmp_path: Path):
    await migrated(settings_for(database))
    many = "10000 per second"
    limits = {"MUSTER_LIMIT_SIGN_IN_BY_ADDRESS": many, "MUSTER_LIMIT_SIGN_IN_BY_ACCOUNT": many}
    process = Process(database, tmp_path / "api.log", **limits)
    process.start()
    try:
        async with process.client() as client:
            await process.ready(client)
        wire = await Wire.to(process.port)
        flood = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.hostile.flood", str(process.port), "500"), stdout=asyncio.subprocess.PIPE
        )
        answering = asyncio.ensure_future(flood.communicate())
        waits = []
        while not answering.done():
            answer = await wire.ask(request("GET", "/livez"))
            assert answer.status == 200
            waits.append(answer.nanoseconds / 1e9)
            await asyncio.sleep(0.002)
        wire.close()
        told = json.loads((await answering)[0])
    finally:
        process.end()
    assert told["401"] + told["503"] == 500
    assert min(told["401"], told["503"]) > 0
    assert told["hasher-busy"] == told["retry-after"] == told["503"]
    assert sorted(waits)[int(len(waits) * 0.99)] < 0.1


async def test_a_registration_by_a_stranger_dies_when_the_owner_registers(site):
    email = site.new_email()
    stranger = await site.registered(email, "the password of a stranger")
    owner = await site.registered(email)
    spent = await site.post(f"/v1/users/{stranger}/email/verify", {"token": site.link(stranger)})
    assert spent.status_code == 410
    assert (await site.post(f"/v1/users/{owner}/email/verify", {"token": site.link(owner)})).status_code == 204
    strangers = await site.post("/v1/sessions", {"email": email, "password": "the password of a stranger"})
    assert strangers.status_code == 401
    assert str((await site.signed_in(email)).id) == owner
