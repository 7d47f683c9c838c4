"""What is shown in place of an API key, and what one is used for that is not for it."""

from uuid import UUID, uuid4

import pytest

from commands.api_keys import made_key
from tests.api.keyed import ACCOUNT, Key, issued
from tests.api.site import in_one_task, served
from tests.hostile.test_revoked import pair  # noqa: F401 - a fixture
from tests.hostile.test_rights import (  # noqa: F401 - a fixture
    BODIES,
    QUERIES,
    TABLE,
    of_nobody,
    operations,
    sent_to,
)
from tests.support import until

# What takes a session, whose holder can prove who they are.
IN_PERSON = {
    "change_email",
    "change_password",
    "enrol_totp",
    "confirm_totp",
    "remove_totp",
    "issue_recovery_codes",
    "passkeys_of_user",
    "offer_passkey",
    "add_passkey",
    "remove_passkey",
    "issue_api_key",
    "revoke_api_key",
    "suspend_user",
    "reinstate_user",
    "grant_role",
    "revoke_role",
    "step_up",
    "end_session",
    "end_all_sessions",
    "erase_user",
    "import_users",
}


# What is about somebody and open to anyone.
OPEN = {"verify_email", "undo_email_change", "resend_verification", "withdraw_erasure_by_link"}


@pytest.fixture
async def key(site):
    return await issued(site, await site.seen(await site.person()))


def altered(key: str, at: int) -> str:
    return key[:at] + ("A" if key[at] != "A" else "B") + key[at + 1 :]


async def test_whatever_is_no_living_key_is_refused_like_a_bad_token(site, key):
    secret = made_key(UUID(key.id))[0]
    nobodys = made_key(uuid4())[0]
    texts = [
        "muster_",
        key.key[:-1],
        key.key + "A",
        key.key.upper(),
        key.told["prefix"],
        key.told["prefix"] + "_",
        f"{key.key}.",
        f"{key.key} {key.key}",
        *(altered(key.key, at) for at in (7, 20, 29, 31, 50, 72, -1)),
        secret,
        nobodys,
        "muster_" + "z" * 22 + "_" + "z" * 49,
        "muster_" + "A" * 100_000,
    ]
    before = await site.head()
    bad_token = await site.get("/v1/me", headers={"Authorization": "Bearer no-token", "X-Request-Id": "same"})
    for text in texts:
        answer = await site.get("/v1/me", headers={"Authorization": f"Bearer {text}", "X-Request-Id": "same"})
        assert (answer.status_code, answer.json()) == (401, bad_token.json()), text[:100]
        assert answer.headers["www-authenticate"] == bad_token.headers["www-authenticate"]
    assert await site.head() == before


async def test_is_taken_from_the_one_header_and_from_nowhere_else(site, key):
    for name in ("key", "api_key", "access_token", "token", "authorization"):
        answer = await site.get(f"/v1/me?{name}={key.key}")
        assert answer.status_code == 401
        assert key.key not in answer.text
    for headers in (
        {"X-Api-Key": key.key},
        {"Authorization": key.key},
        {"Authorization": f"Basic {key.key}"},
        {"Authorization": f"Token {key.key}"},
        {"Cookie": f"access_token={key.key}"},
    ):
        assert (await site.get("/v1/me", headers=headers)).status_code == 401
    twice = await site.client.get("/v1/me", headers=[("Authorization", f"Bearer {key.key}")] * 2)
    assert twice.status_code == 401
    assert (await site.get("/v1/me", key)).status_code == 200


async def test_the_key_of_one_who_is_suspended_opens_nothing_until_they_are_reinstated(site):
    person = await site.seen(await site.person())
    key = await issued(site, person)
    assert (await site.get("/v1/me", key)).status_code == 200
    for path, status in (("suspend", 401), ("reinstate", 200)):
        assert (await site.post(f"/v1/users/{person.id}/{path}", {}, site.administrator)).status_code == 204
        assert (await site.get("/v1/me", key)).status_code == status


async def revoked(site, person, key):
    return await site.request("DELETE", f"/v1/users/{person.id}/api-keys/{key.id}", person)


async def suspended(site, person, _key):
    return await site.post(f"/v1/users/{person.id}/suspend", {}, site.administrator)


async def reset(site, person, _key):
    await site.post("/v1/password/reset", {"email": person.email})
    token = await site.newest_link(person.id, "PasswordResetRequested", "reset-password")
    body = {"token": token, "password": "another horse, another staple"}
    return await site.post("/v1/password/reset/complete", body)


@pytest.mark.parametrize("cut", [revoked, suspended, reset], ids=lambda cut: cut.__name__)
async def test_counts_no_longer_here_at_once_elsewhere_within_a_second_and_after_a_restart(pair, cut):  # noqa: F811
    first, second = pair
    person = await first.seen(await first.person())
    key = await issued(first, person)
    for site in pair:
        assert (await site.get("/v1/me", key)).status_code == 200
    assert (await cut(first, person, key)).status_code == 204
    assert (await first.get("/v1/me", key)).status_code == 401

    async def known_elsewhere():
        return (await second.get("/v1/me", key)).status_code == 401

    await until(known_elsewhere, seconds=1)
    async with in_one_task(served(first.database)) as restarted:
        assert (await restarted.get("/v1/me", key)).status_code == 401


async def test_a_role_that_is_taken_from_the_user_is_taken_from_the_key_elsewhere_too(pair):  # noqa: F811
    first, second = pair
    person = await first.person("auditor")
    key = await issued(first, person, "audit:read")
    assert (await second.get("/v1/events", key)).status_code == 200
    await first.request("DELETE", f"/v1/users/{person.id}/roles/auditor", first.administrator)
    assert (await first.get("/v1/events", key)).status_code == 403

    async def known_elsewhere():
        return (await second.get("/v1/events", key)).status_code == 403

    await until(known_elsewhere, seconds=1)


@pytest.fixture(scope="module")
async def keys(shared_site) -> dict[str, Key]:
    person = await shared_site.seen(await shared_site.person())
    ruler = await shared_site.seen(await shared_site.person("administrator"))
    every = ("users:read", "users:write", "audit:read", "statistics:read", "operations")
    own = await issued(shared_site, person, *ACCOUNT)
    return {
        "self": own,
        "administrator": await issued(shared_site, ruler, *ACCOUNT, *every),
        "of": Key(str(person.id), "", {"session": person.session_id, "key": own.id}),
    }


@pytest.mark.parametrize("owner", ["self", "administrator"])
@pytest.mark.parametrize("name", [name for name in TABLE if name != "rebuild_projection"])  # one at a time is built
async def test_may_what_its_user_may_but_for_what_is_done_in_person(site, operations, keys, owner, name):  # noqa: F811
    callers = ("anonymous", "self", "other", "auditor", "analyst", "administrator", "suspended")
    expected = 403 if name in IN_PERSON else TABLE[name][callers.index(owner)]
    method, template = operations[name]
    user = keys["of"]
    ids = await of_nobody(site, name) | {"session_id": user.told["session"], "key_id": user.told["key"]}
    path = template.format(user_id=user.id, role="nobody", slug="not-found", name="users", **ids)
    body = BODIES.get(name)
    if name == "register_user":
        body = {"email": site.new_email(), "password": "a horse, a staple, a battery"}
    before = await site.head()
    answer = await site.request(method, path + QUERIES.get(name, ""), keys[owner], **sent_to(name, body))
    assert answer.status_code == expected, answer.text
    if name in IN_PERSON:
        told = answer.json()["type"].rpartition("/")[2]
        assert told in ("session-required", "not-permitted")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert await site.head() - before <= 1  # that it was used is noted, of the first time


@pytest.mark.parametrize("name", TABLE)
async def test_may_next_to_nothing_without_a_scope_for_it(site, operations, keys, name):  # noqa: F811
    method, template = operations[name]
    if "{user_id}" not in template or name in OPEN:
        return
    person = await site.person("analyst")
    key = await issued(site, person, "statistics:read")
    path = template.format(user_id=person.id, role="nobody", passkey_id=uuid4(), key_id=uuid4())
    answer = await site.request(method, path, key, json=BODIES.get(name))
    assert answer.status_code == 403, answer.text
