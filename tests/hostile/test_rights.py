"""Every route for everyone: a table with no empty cell."""

from typing import Any
from uuid import uuid4

import pytest
from litestar.routes import HTTPRoute

from events.administrators import STREAM_ID as ADMINISTRATORS_ID
from tests.api.factors import with_passkey
from tests.api.keyed import issued
from tests.api.site import PASSWORD, Person, Site
from tests.api.test_deliveries import owed
from tests.api.test_invitations import invited
from tests.api.test_projections import broken, parked
from tests.support import until

CALLERS = ("anonymous", "self", "other", "auditor", "analyst", "administrator", "suspended")

# What each caller is answered, on what belongs to `self`. The order is that of CALLERS.
TABLE: dict[str, tuple[int, ...]] = {
    "register_user": (202, 202, 202, 202, 202, 201, 401),
    "users": (401, 403, 403, 200, 403, 200, 401),
    "import_users": (401, 403, 403, 403, 403, 200, 401),
    "export_users": (401, 403, 403, 200, 403, 200, 401),
    "user_by_id": (401, 200, 404, 200, 404, 200, 401),
    "me": (401, 200, 200, 200, 200, 200, 401),
    "change_profile": (401, 204, 404, 404, 404, 204, 401),
    "replace_metadata": (401, 204, 404, 404, 404, 204, 401),
    "merge_metadata": (401, 204, 404, 404, 404, 204, 401),
    "verify_email": (400, 400, 400, 400, 400, 400, 400),
    "resend_verification": (202, 202, 202, 202, 202, 202, 401),
    "change_email": (401, 204, 404, 404, 404, 404, 401),
    "undo_email_change": (400, 400, 400, 400, 400, 400, 400),
    "change_password": (401, 204, 404, 404, 404, 404, 401),
    "request_password_reset": (202, 202, 202, 202, 202, 202, 202),
    "reset_password": (400, 400, 400, 400, 400, 400, 400),
    "enrol_totp": (401, 200, 404, 404, 404, 404, 401),
    "confirm_totp": (401, 409, 404, 404, 404, 404, 401),
    "remove_totp": (401, 204, 404, 404, 404, 404, 401),
    "issue_recovery_codes": (401, 409, 404, 404, 404, 404, 401),
    "passkeys_of_user": (401, 200, 404, 404, 404, 404, 401),
    "offer_passkey": (401, 200, 404, 404, 404, 404, 401),
    "add_passkey": (401, 400, 404, 404, 404, 404, 401),
    "remove_passkey": (401, 204, 404, 404, 404, 404, 401),
    "offer_passkey_sign_in": (200, 200, 200, 200, 200, 200, 200),
    "issue_api_key": (401, 201, 404, 404, 404, 404, 401),
    "api_keys_of_user": (401, 200, 404, 200, 404, 200, 401),
    "api_key_by_id": (401, 200, 404, 200, 404, 200, 401),
    "revoke_api_key": (401, 204, 404, 404, 404, 204, 401),
    "create_service_account": (401, 403, 403, 403, 403, 201, 401),
    "invite_user": (401, 403, 403, 403, 403, 201, 401),
    "invitations": (401, 403, 403, 200, 403, 200, 401),
    "withdraw_invitation": (401, 403, 403, 403, 403, 204, 401),
    "accept_invitation": (400, 400, 400, 400, 400, 400, 400),
    "suspend_user": (401, 403, 403, 403, 403, 204, 401),
    "reinstate_user": (401, 403, 403, 403, 403, 204, 401),
    "unlock_user": (401, 403, 403, 403, 403, 204, 401),
    "erase_user": (401, 204, 404, 404, 404, 204, 401),
    "export_personal_data": (401, 200, 404, 200, 404, 200, 401),
    "withdraw_erasure": (401, 204, 404, 404, 404, 204, 401),
    "withdraw_erasure_by_link": (400, 400, 400, 400, 400, 400, 400),
    "grant_role": (401, 403, 403, 403, 403, 204, 401),
    "revoke_role": (401, 403, 403, 403, 403, 204, 401),
    "sign_in": (401, 401, 401, 401, 401, 401, 401),
    "refresh_session": (401, 401, 401, 401, 401, 401, 401),
    "step_up": (401, 200, 404, 404, 404, 404, 401),
    "end_session": (401, 204, 404, 404, 404, 204, 401),
    "sessions_of_user": (401, 200, 404, 200, 404, 200, 401),
    "end_all_sessions": (401, 204, 404, 404, 404, 204, 401),
    "sign_up_first_administrator": (400, 400, 400, 400, 400, 400, 400),
    "history_of_user": (401, 403, 403, 200, 403, 200, 401),
    "events": (401, 403, 403, 200, 403, 200, 401),
    "event_stream": (401, 403, 403, 200, 403, 200, 401),
    "projections": (401, 403, 403, 403, 403, 200, 401),
    "parked_events": (401, 403, 403, 403, 403, 200, 401),
    "retry_parked_events": (401, 403, 403, 403, 403, 204, 401),
    "discard_parked_event": (401, 403, 403, 403, 403, 404, 401),
    "deliveries": (401, 403, 403, 403, 403, 200, 401),
    "delivery_by_id": (401, 403, 403, 403, 403, 200, 401),
    "rebuild_projection": (401, 403, 403, 403, 403, 202, 401),
    "redrive_delivery": (401, 403, 403, 403, 403, 200, 401),
    "registrations": (401, 403, 403, 403, 200, 200, 401),
    "verifications": (401, 403, 403, 403, 200, 200, 401),
    "active_users": (401, 403, 403, 403, 200, 200, 401),
    "sign_ins": (401, 403, 403, 403, 200, 200, 401),
    "retention": (401, 403, 403, 403, 200, 200, 401),
    "livez": (200, 200, 200, 200, 200, 200, 200),
    "readyz": (200, 200, 200, 200, 200, 200, 200),
    "metrics": (200, 200, 200, 200, 200, 200, 200),
    "jwks": (200, 200, 200, 200, 200, 200, 200),
    "problem_type": (200, 200, 200, 200, 200, 200, 200),
}

# Open to everyone: the pages that mails lead to, the document, and the page that shows it.
UNDOCUMENTED = {
    *(("GET", "/verify-email"), ("GET", "/reset-password"), ("GET", "/undo-email-change"), ("GET", "/unlock")),
    *(("GET", "/withdraw-erasure"), ("GET", "/accept-invitation"), ("GET", "/sign-up")),
    *(("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/docs/scalar.js")),
}

# Where the right answer depends on a secret that no caller has, everyone is refused alike.
BODIES: dict[str, dict[str, Any]] = {
    "change_profile": {"display_name": "Ada"},
    "replace_metadata": {"own": {"theme": "dark"}},
    "merge_metadata": {"own": {"theme": "dark"}},
    "verify_email": {"token": "A" * 80},
    "change_email": {"email": "somewhere.else@example.com", "password": PASSWORD},
    "undo_email_change": {"token": "A" * 80},
    "change_password": {"password": PASSWORD, "new_password": "another horse, another battery"},
    "erase_user": {"password": PASSWORD},
    "withdraw_erasure_by_link": {"token": "A" * 80},
    "confirm_totp": {"code": "123456"},
    "add_passkey": {
        "label": "A key",
        "credential": {
            "id": "AAAA",
            "rawId": "AAAA",
            "type": "public-key",
            "response": {"clientDataJSON": "AAAA", "attestationObject": "AAAA"},
        },
    },
    "request_password_reset": {"email": "nobody@example.com"},
    "reset_password": {"token": "A" * 80, "password": PASSWORD},
    "invite_user": {"email": "invited@example.com"},
    "accept_invitation": {"token": "A" * 80, "password": PASSWORD},
    "create_service_account": {"name": "billing"},
    "issue_api_key": {"name": "report", "scopes": ["account:read"]},
    "step_up": {"password": PASSWORD},
    "sign_in": {"email": "nobody@example.com", "password": PASSWORD},
    "refresh_session": {"refresh_token": "A" * 70},
    "discard_parked_event": {"reason": "it is broken"},
    "sign_up_first_administrator": {"token": "A" * 80, "email": "x@example.com", "password": PASSWORD},
}

# Who is let in must be let out again.
QUERIES = {"event_stream": "?follow=false"}

# What others that come after would notice is done to somebody of its own.
NOTICED = {
    *("change_email", "change_password", "enrol_totp", "suspend_user", "erase_user"),
    *("end_session", "end_all_sessions", "revoke_api_key", "remove_passkey"),
}

# What is about something of somebody's.
HELD = {"api_key_by_id", "revoke_api_key", "remove_passkey"}


async def holding(site: Site) -> tuple[Person, dict[str, str]]:
    """Somebody with an API key and a passkey, and the ids of these."""
    person = await site.seen(await site.person())
    key = await issued(site, person)
    person, _, passkey = await with_passkey(site, person)
    return person, {"key_id": key.id, "passkey_id": passkey["id"]}


async def of_nobody(site: Site, name: str) -> dict[str, Any]:
    """An invitation or a delivery that there is, for what is about one; other ids are those of nothing."""
    ids: dict[str, Any] = {part: uuid4() for part in ("delivery_id", "passkey_id", "key_id", "invitation_id")}
    if name == "withdraw_invitation":
        ids["invitation_id"] = (await invited(site))[1]
    elif name in ("delivery_by_id", "redrive_delivery"):
        (ids["delivery_id"],) = await owed(site, "dead")
    return {**ids, "position": 1}


def sent_to(name: str, body: Any) -> dict[str, Any]:
    """A body as the route takes it."""
    if name == "import_users":
        return {"content": b"", "headers": {"Content-Type": "application/x-ndjson"}}
    return {"json": body}


@pytest.fixture(scope="module")
async def operations(shared_site):
    described = (await shared_site.get("/openapi.json")).json()
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_stands_in_the_table(operations):
    assert operations.keys() == TABLE.keys()
    assert {len(row) for row in TABLE.values()} == {len(CALLERS)}


def test_nothing_is_answered_that_stands_in_no_document_but_what_people_look_at(shared_site, operations):
    there = {
        (str(method), route.path_format)
        for route in shared_site.app.framework.routes
        for method in (route.methods if isinstance(route, HTTPRoute) else [type(route).__name__])
        if method != "OPTIONS"
    }
    assert there - {*operations.values()} == UNDOCUMENTED
    assert {*operations.values()} <= there


@pytest.fixture(scope="module")
async def other(shared_site: Site) -> Person:
    return await shared_site.seen(await shared_site.person())


@pytest.fixture(scope="module")
async def holder(shared_site: Site) -> tuple[Person, dict[str, str]]:
    return await holding(shared_site)


@pytest.fixture(scope="module")
async def suspended(shared_site: Site) -> Person:
    """Someone who is suspended, and has the tokens of before."""
    person = await shared_site.person()
    done = await shared_site.post(f"/v1/users/{person.id}/suspend", {}, shared_site.administrator)
    assert done.status_code == 204, done.text
    return person


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", TABLE)
async def test_is_answered(site, operations, somebody, holder, other, auditor, analyst, suspended, name, caller):
    expected = TABLE[name][CALLERS.index(caller)]
    ids = await of_nobody(site, name)
    noticed = name in NOTICED and expected < 300
    if name in HELD:
        owner, held = await holding(site) if noticed else holder
        ids |= held
    else:
        owner = await site.person() if noticed else somebody
    callers = {"anonymous": None, "self": owner, "other": other, "auditor": auditor, "analyst": analyst}
    person = {**callers, "administrator": site.administrator, "suspended": suspended}[caller]
    method, template = operations[name]
    path = template.format(
        user_id=owner.id, session_id=owner.session_id, role="nobody", slug="not-found", name="users", **ids
    )
    if name in ("grant_role", "revoke_role") and caller == "administrator":
        path = template.format(
            user_id=site.administrator.id, role="administrator" if name == "grant_role" else "analyst"
        )
    body = BODIES.get(name)
    if name == "register_user":
        body = {"email": site.new_email(), "password": PASSWORD}
    before = await site.head()
    answer = await site.request(method, path + QUERIES.get(name, ""), person, **sent_to(name, body))
    assert answer.status_code == expected, answer.text
    if answer.status_code >= 400:
        assert await site.head() == before
        assert answer.headers["content-type"] == "application/problem+json"
    if answer.status_code in (401, 403):
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "name",
    [
        "user_by_id",
        "change_profile",
        "replace_metadata",
        "merge_metadata",
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
        "api_keys_of_user",
        "api_key_by_id",
        "revoke_api_key",
        "sessions_of_user",
        "step_up",
        "end_session",
        "end_all_sessions",
        "erase_user",
        "withdraw_erasure",
        "export_personal_data",
    ],
)
async def test_what_is_anothers_answers_exactly_as_what_does_not_exist(site, operations, holder, other, name):
    method, template = operations[name]
    person, held = holder
    there = {"user_id": person.id, "session_id": person.session_id, **held}
    nowhere = {part: uuid4() for part in there}
    before = await site.head()
    answers = []
    for ids in (there, {**nowhere, "user_id": person.id}, nowhere):
        answer = await site.request(
            method, template.format(**ids), other, json=BODIES.get(name), headers={"X-Request-Id": "same"}
        )
        told = {**answer.json(), "instance": ""}
        headers = {key: value for key, value in answer.headers.items() if key not in ("traceparent", "content-length")}
        answers.append((answer.status_code, told, headers))
    assert answers[0][0] == 404
    assert answers[1:] == answers[:1] * 2
    assert await site.head() == before


async def test_a_parked_event_is_decided_on_by_operators_alone(fresh):
    person = await fresh.seen(await fresh.person())
    others = [await fresh.person(role) for role in ("auditor", "analyst")]
    position = await broken(fresh, person)
    await until(lambda: parked(fresh))
    path, body = f"/v1/projections/users/parked/{position}/discard", BODIES["discard_parked_event"]
    before = await fresh.head()
    assert (await fresh.post(path, body)).status_code == 401
    assert [(await fresh.post(path, body, one)).status_code for one in (person, *others)] == [403] * 3
    assert await fresh.head() == before
    assert await parked(fresh) == [position]
    assert (await fresh.post(path, body, fresh.administrator)).status_code == 204


async def test_what_can_be_tried_out_is_what_declares_it(site, operations, holder):
    described = (await site.get("/openapi.json")).json()["paths"]
    person, held = holder
    for name, (method, template) in operations.items():
        if method == "GET" or name == "import_users":  # an import tells of rows
            continue
        responses = described[template][method.lower()]["responses"]
        declares = "/Rehearsal" in str(responses.get("200"))
        ids = await of_nobody(site, name) | held
        path = template.format(user_id=person.id, session_id=person.session_id, role="nobody", name="users", **ids)
        asker = site.administrator if TABLE[name][CALLERS.index("administrator")] < 300 else person
        before = await site.head()
        body = BODIES.get(name)
        if name == "register_user":
            body = {"email": site.new_email(), "password": PASSWORD}
        answer = await site.request(method, path, asker, json=body, headers={"Prefer": "dry-run"})
        refused = answer.status_code == 400 and answer.json()["type"].endswith("/dry-run-refused")
        assert refused != declares, f"{name}: {answer.text}"
        assert await site.head() == before, name


async def test_the_id_of_something_else_is_the_id_of_nothing(site, operations, somebody):
    for name, (method, template) in operations.items():
        for placeholder, others in (
            ("{user_id}", (somebody.session_id, ADMINISTRATORS_ID)),
            ("{session_id}", (somebody.id, ADMINISTRATORS_ID)),
        ):
            for other in others if placeholder in template else ():
                before = await site.head()
                path = template.replace(placeholder, str(other)).format(
                    role="auditor", passkey_id=uuid4(), key_id=uuid4()
                )
                answer = await site.request(method, path, site.administrator, json=BODIES.get(name))
                expected = 202 if name == "resend_verification" else 400 if "token" in BODIES.get(name, {}) else 404
                assert answer.status_code == expected, f"{name}: {answer.text}"
                assert await site.head() == before


@pytest.mark.parametrize("role", ["administrator", "auditor", "king", "%00", "..%2fauditor"])
async def test_nobody_makes_themselves_anything(site, somebody, role):
    before = await site.head()
    answer = await site.request("PUT", f"/v1/users/{somebody.id}/roles/{role}", somebody)
    assert answer.status_code in (403, 404)
    assert await site.head() == before


@pytest.mark.parametrize("field", ["roles", "id", "version", "registered_at", "email_verified", "status", "email"])
async def test_what_is_not_ones_own_to_say_is_refused_in_a_body(site, somebody, field):
    before = await site.head()
    answer = await site.request("PATCH", f"/v1/users/{somebody.id}/profile", somebody, json={field: "x"})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]
    assert await site.head() == before


async def test_a_cursor_is_good_for_its_caller_and_its_list_alone(site, auditor):
    mine = (await site.get("/v1/events?limit=1", auditor)).json()["next"]
    assert (await site.get(f"/v1/events?cursor={mine}", auditor)).status_code == 200
    other_list = await site.get(f"/v1/users?cursor={mine}", auditor)
    other_filter = await site.get(f"/v1/events?cursor={mine}&type=UserRegistered", auditor)
    other_caller = await site.get(f"/v1/events?cursor={mine}", site.administrator)
    altered = await site.get(f"/v1/events?cursor={mine[:-1]}{'A' if mine[-1] != 'A' else 'B'}", auditor)
    for answer in (other_list, other_filter, other_caller, altered):
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/problems/invalid-cursor")
