"""API keys over HTTP: issued, used within their scopes, listed and revoked."""

import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from api.api_keys import Scope
from commands.api_keys import PATTERN
from commands.roles import SCOPES
from tests.api.keyed import ACCOUNT, issued
from tests.api.site import PASSWORD
from tests.api.test_step_up import tired


def kind(answer):
    return answer.json()["type"].rpartition("/")[2]


async def listed(site, person, asker=None):
    answer = await site.get(f"/v1/users/{person.id}/api-keys", asker or person)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_is_shown_once_with_what_is_known_of_it(site):
    person = await site.person()
    before = await site.head()
    body = {"name": "nightly report", "scopes": ["account:write", "account:read"], "expires_in_days": 7}
    answer = await site.post(f"/v1/users/{person.id}/api-keys", body, person)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    shown = answer.json()
    assert re.fullmatch(PATTERN, shown["key"])
    assert shown["key"].startswith(shown["prefix"])
    assert (shown["name"], shown["scopes"]) == ("nightly report", ["account:read", "account:write"])
    in_a_week = datetime.now(UTC) + timedelta(days=7)
    assert abs(datetime.fromisoformat(shown["expires_at"]) - in_a_week) < timedelta(minutes=1)
    assert await site.events_after(before) == ["ApiKeyIssued"]
    (told,) = await listed(site, person)
    assert told.pop("created_at") < told["expires_at"]
    expected = {name: value for name, value in shown.items() if name != "key"}
    by_id = await site.get(answer.headers["location"], person)
    assert (by_id.status_code, by_id.json()["prefix"]) == (200, shown["prefix"])
    assert told == {**expected, "status": "active", "last_used_on": None}


async def test_asks_in_the_name_of_its_user_and_the_history_tells(site, auditor):
    person = await site.seen(await site.person())
    key = await issued(site, person)
    assert (await site.get("/v1/me", key)).json()["id"] == str(person.id)
    changed = await site.request("PATCH", f"/v1/users/{person.id}/profile", key, json={"display_name": "Ada"})
    assert changed.status_code == 204
    history = (await site.get(f"/v1/users/{person.id}/history?limit=200", auditor)).json()["items"]
    used, renamed = history[-2:]
    assert (used["type"], used["stream"], used["subject"]) == ("ApiKeyUsed", key.id, str(person.id))
    assert renamed["type"] == "DisplayNameChanged"
    assert used["actor"] == renamed["actor"] == {"type": "api_key", "id": key.id, "user_id": str(person.id)}
    (told,) = await listed(site, person)
    assert told["last_used_on"] == datetime.now(UTC).date().isoformat()


async def test_its_use_is_noted_once_a_day_however_often_it_asks(site):
    person = await site.seen(await site.person())
    key = await issued(site, person)
    before = await site.head()
    for _ in range(3):
        assert (await site.get("/v1/me", key)).status_code == 200
    assert await site.events_after(before) == ["ApiKeyUsed"]


async def test_what_was_looked_up_lately_is_not_looked_up_again(site):
    person = await site.seen(await site.person())
    known, unknown = await issued(site, person), await issued(site, person)
    assert (await site.get("/v1/me", known)).status_code == 200
    await site.database.query("DELETE FROM secrets WHERE subject_id = $1 AND kind = 'api-key'", person.id)
    assert (await site.get("/v1/me", known)).status_code == 200
    assert (await site.get("/v1/me", unknown)).status_code == 401


async def test_what_is_kept_of_it_was_altered_and_it_opens_nothing(site):
    person = await site.seen(await site.person())
    key = await issued(site, person)
    await site.database.query(
        "UPDATE secrets SET sealed = sealed || '\\x00'::bytea WHERE subject_id = $1 AND kind = 'api-key'", person.id
    )
    assert (await site.get("/v1/me", key)).status_code == 401


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (ACCOUNT, (200, 204, 404, 403, 403)),
        (("account:read",), (200, 403, 404, 403, 403)),
        (("account:write",), (403, 204, 404, 403, 403)),
        (("users:read",), (200, 403, 200, 200, 403)),
        (("audit:read",), (403, 403, 404, 403, 200)),
        (("account:read", "users:write", "users:read"), (200, 204, 200, 200, 403)),
    ],
)
async def test_may_do_what_its_scopes_say(site, somebody, scopes, expected):
    person = await site.seen(await site.person("administrator"))
    key = await issued(site, person, *scopes)
    answers = (
        await site.get("/v1/users/" + str(person.id), key),
        await site.request("PATCH", f"/v1/users/{person.id}/profile", key, json={"locale": "en"}),
        await site.get(f"/v1/users/{somebody.id}", key),
        await site.get("/v1/users", key),
        await site.get("/v1/events", key),
    )
    assert tuple(answer.status_code for answer in answers) == expected
    for answer in answers:
        if answer.status_code == 403:
            assert 'error="insufficient_scope", scope="' in answer.headers["www-authenticate"]


async def test_shows_oneself_where_a_scope_says_so(site):
    person = await site.seen(await site.person("auditor"))
    assert (await site.get("/v1/me", await issued(site, person, "account:read"))).status_code == 200
    refused = await site.get("/v1/me", await issued(site, person, "audit:read"))
    assert refused.headers["www-authenticate"].endswith('scope="account:read"')


async def test_never_may_what_its_user_may_not_at_that_moment(site, somebody):
    person = await site.person("auditor")
    key = await issued(site, person, "users:read", "account:read")
    assert (await site.get("/v1/users", key)).status_code == 200
    assert (await site.request("DELETE", f"/v1/users/{person.id}/roles/auditor", site.administrator)).status_code == 204
    assert (await site.get("/v1/users", key)).status_code == 403
    assert (await site.get("/v1/me", await site.seen(await site.signed_in(person.email)))).status_code == 200
    assert (await site.get("/v1/me", key)).status_code == 200
    assert (await site.request("PUT", f"/v1/users/{person.id}/roles/auditor", site.administrator)).status_code == 204
    assert (await site.get("/v1/users", key)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"name": "x", "scopes": ["users:read"]}, 403, "scope-not-held"),
        ({"name": "x", "scopes": ["account:read"], "expires_in_days": 366}, 400, "invalid-expiry"),
        ({"name": "x", "scopes": []}, 400, "invalid-fields"),
        ({"name": "x", "scopes": ["everything"]}, 400, "invalid-fields"),
        ({"name": "x", "scopes": "account:read"}, 400, "invalid-fields"),
        ({"name": "", "scopes": ["account:read"]}, 400, "invalid-fields"),
        ({"name": "a\u202eb", "scopes": ["account:read"]}, 400, "invalid-fields"),
        ({"name": "x", "scopes": ["account:read"], "expires_in_days": 0}, 400, "invalid-fields"),
        ({"name": "x", "scopes": ["account:read"], "key": "muster_x"}, 400, "invalid-fields"),
        ({"scopes": ["account:read"]}, 400, "invalid-fields"),
    ],
)
async def test_what_cannot_be_had_is_told_and_nothing_recorded(site, somebody, body, status, reason):
    before = await site.head()
    answer = await site.post(f"/v1/users/{somebody.id}/api-keys", body, somebody)
    assert (answer.status_code, kind(answer)) == (status, reason)
    assert await site.head() == before


@pytest.mark.parametrize("days", ["7.0", "7e0", "0.7e1"])
async def test_a_whole_number_is_one_however_it_is_written(site, somebody, days):
    body = f'{{"name": "x", "scopes": ["account:read"], "expires_in_days": {days}}}'
    headers = {"Content-Type": "application/json"}
    answer = await site.request("POST", f"/v1/users/{somebody.id}/api-keys", somebody, content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    half = await site.request(
        "POST", f"/v1/users/{somebody.id}/api-keys", somebody, content=body.replace(days, "7.5"), headers=headers
    )
    assert (half.status_code, kind(half)) == (400, "invalid-fields")


async def test_all_that_is_wrong_with_it_is_told_at_once(site, somebody):
    answer = await site.post(f"/v1/users/{somebody.id}/api-keys", {"name": "", "scopes": ["x"]}, somebody)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name", "/scopes"]


async def test_takes_a_fresh_proof(site):
    person = await tired(site, await site.person())
    body = {"name": "x", "scopes": ["account:read"]}
    refused = await site.post(f"/v1/users/{person.id}/api-keys", body, person)
    assert (refused.status_code, kind(refused)) == (401, "step-up-required")


async def test_the_same_request_with_its_key_is_answered_with_the_same_key(site, somebody):
    body = {"name": "x", "scopes": ["account:read"]}
    headers = {"Idempotency-Key": "one-api-key"}
    answers = [await site.post(f"/v1/users/{somebody.id}/api-keys", body, somebody, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_is_revoked_by_its_user_at_once_and_once(site):
    person = await site.seen(await site.person())
    key, other = await issued(site, person), await issued(site, person)
    assert (await site.get("/v1/me", key)).status_code == 200
    before = await site.head()
    path = f"/v1/users/{person.id}/api-keys/{key.id}"
    tried = await site.request("DELETE", path, person, headers={"Prefer": "dry-run"})
    assert [event["type"] for event in tried.json()["events"]] == ["ApiKeyRevoked"]
    for _ in range(2):
        assert (await site.request("DELETE", path, person, json={"reason": "It leaked."})).status_code == 204
        refused = await site.get("/v1/me", key)
        assert (refused.status_code, kind(refused)) == (401, "invalid-access-token")
    assert await site.events_after(before) == ["ApiKeyRevoked"]
    assert (await site.get("/v1/me", other)).status_code == 200
    assert (await site.get("/v1/me", person)).status_code == 200
    assert {one["id"]: one["status"] for one in await listed(site, person)} == {key.id: "revoked", other.id: "active"}


async def test_administrators_see_and_revoke_anyones(site, auditor):
    person = await site.seen(await site.person())
    key = await issued(site, person)
    assert [one["id"] for one in await listed(site, person, auditor)] == [key.id]
    path = f"/v1/users/{person.id}/api-keys/{key.id}"
    assert (await site.request("DELETE", path, auditor)).status_code == 404
    assert (await site.request("DELETE", path, site.administrator)).status_code == 204
    assert (await site.get("/v1/me", key)).status_code == 401


@pytest.mark.parametrize("path", ["", "/00000000-0000-7000-8000-000000000000"])
async def test_nothing_answers_for_who_is_not_there(site, path):
    method = "DELETE" if path else "GET"
    answer = await site.request(
        method, f"/v1/users/00000000-0000-7000-8000-000000000000/api-keys{path}", site.administrator
    )
    assert answer.status_code == 404


async def test_outlives_a_password_that_was_changed_and_not_one_that_was_reset(site):
    person = await site.seen(await site.person())
    key = await issued(site, person)
    new = "another horse, another staple"
    body = {"password": PASSWORD, "new_password": new}
    assert (await site.post(f"/v1/users/{person.id}/password/change", body, person)).status_code == 204
    assert (await site.get("/v1/me", key)).status_code == 200
    await site.post("/v1/password/reset", {"email": person.email})
    token = await site.newest_link(person.id, "PasswordResetRequested", "reset-password")
    done = await site.post("/v1/password/reset/complete", {"token": token, "password": PASSWORD})
    assert done.status_code == 204
    assert (await site.get("/v1/me", key)).status_code == 401
    assert [one["status"] for one in await listed(site, await site.signed_in(person.email))] == ["revoked"]


def test_the_scopes_that_the_document_tells_are_those_there_are():
    assert set(get_args(Scope)) == SCOPES
