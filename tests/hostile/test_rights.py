"""Every route for everyone: a table with no empty cell."""

from uuid import uuid4

import pytest

from events.administrators import STREAM_ID
from tests.api.site import PASSWORD, Person, Site

CALLERS = ("anonymous", "self", "other", "auditor", "analyst", "administrator")

# What each caller is answered, on what belongs to `self`. The order is that of CALLERS.
TABLE: dict[str, tuple[int, ...]] = {
    "register_user": (202, 202, 202, 202, 202, 201),
    "users": (401, 403, 403, 200, 403, 200),
    "user_by_id": (401, 200, 404, 200, 404, 200),
    "me": (401, 200, 200, 200, 200, 200),
    "change_profile": (401, 204, 404, 404, 404, 204),
    "verify_email": (400, 400, 400, 400, 400, 400),
    "grant_role": (401, 403, 403, 403, 403, 204),
    "revoke_role": (401, 403, 403, 403, 403, 204),
    "sign_in": (401, 401, 401, 401, 401, 401),
    "refresh_session": (401, 401, 401, 401, 401, 401),
    "end_session": (401, 204, 404, 404, 404, 204),
    "sign_up_first_administrator": (400, 400, 400, 400, 400, 400),
    "history_of_user": (401, 403, 403, 200, 403, 200),
    "events": (401, 403, 403, 200, 403, 200),
    "livez": (200, 200, 200, 200, 200, 200),
    "readyz": (200, 200, 200, 200, 200, 200),
    "metrics": (200, 200, 200, 200, 200, 200),
    "jwks": (200, 200, 200, 200, 200, 200),
    "problem_type": (200, 200, 200, 200, 200, 200),
}

# Where the right answer depends on a secret that no caller has, everyone is refused alike.
BODIES: dict[str, dict[str, str]] = {
    "change_profile": {"display_name": "Ada"},
    "verify_email": {"token": "A" * 80},
    "sign_in": {"email": "nobody@example.com", "password": PASSWORD},
    "refresh_session": {"refresh_token": "A" * 70},
    "sign_up_first_administrator": {"token": "A" * 80, "email": "x@example.com", "password": PASSWORD},
}


@pytest.fixture(scope="session")
async def operations(site):
    described = (await site.get("/openapi.json")).json()
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_stands_in_the_table(operations):
    assert operations.keys() == TABLE.keys()
    assert {len(row) for row in TABLE.values()} == {len(CALLERS)}


@pytest.fixture(scope="session")
async def other(site: Site) -> Person:
    return await site.seen(await site.person())


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", TABLE)
async def test_is_answered(site, operations, somebody, other, auditor, analyst, name, caller):
    owner = await site.signed_in(somebody.email)  # a session to end; what stands in the view is somebody's
    callers = {"anonymous": None, "self": owner, "other": other, "auditor": auditor, "analyst": analyst}
    person = {**callers, "administrator": site.administrator}[caller]
    method, template = operations[name]
    path = template.format(user_id=owner.id, session_id=owner.session_id, role="nobody", slug="not-found")
    if name in ("grant_role", "revoke_role") and caller == "administrator":
        path = template.format(
            user_id=site.administrator.id, role="administrator" if name == "grant_role" else "analyst"
        )
    body = BODIES.get(name)
    if name == "register_user":
        body = {"email": site.new_email(), "password": PASSWORD}
    before = await site.head()
    answer = await site.request(method, path, person, json=body)
    assert answer.status_code == TABLE[name][CALLERS.index(caller)], answer.text
    if answer.status_code >= 400:
        assert await site.head() == before
        assert answer.headers["content-type"] == "application/problem+json"
    if answer.status_code in (401, 403):
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", ["user_by_id", "change_profile", "end_session"])
async def test_what_is_anothers_answers_exactly_as_what_does_not_exist(site, operations, somebody, other, name):
    method, template = operations[name]
    answers = []
    for user_id, session_id in ((somebody.id, somebody.session_id), (uuid4(), uuid4())):
        path = template.format(user_id=user_id, session_id=session_id)
        answer = await site.request(method, path, other, json=BODIES.get(name), headers={"X-Request-Id": "same"})
        told = {**answer.json(), "instance": ""}
        headers = {key: value for key, value in answer.headers.items() if key not in ("traceparent", "content-length")}
        answers.append((answer.status_code, told, headers))
    assert answers[0] == answers[1]


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


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/v1/sessions/{id}", None),
        ("DELETE", "/v1/users/{id}/sessions", None),
        ("PATCH", "/v1/users/{id}/profile", {"display_name": "Ada"}),
        ("PUT", "/v1/users/{id}/metadata", {"admin": {"plan": "pro"}}),
        ("PUT", "/v1/users/{id}/roles/auditor", None),
        ("DELETE", "/v1/users/{id}/roles/auditor", None),
        ("POST", "/v1/users/{id}/suspend", {}),
        ("POST", "/v1/users/{id}/reinstate", {}),
        ("POST", "/v1/users/{id}/unlock", {}),
        ("GET", "/v1/users/{id}", None),
        ("GET", "/v1/users/{id}/sessions", None),
    ],
)
async def test_the_id_of_another_kind_of_thing_is_nothings(site, somebody, method, path, body):
    before = await site.head()
    others = [STREAM_ID, somebody.id if "sessions/{id}" in path else somebody.session_id]
    for other in others:
        answer = await site.request(method, path.format(id=other), site.administrator, json=body)
        assert answer.status_code == 404, answer.text
    for path in ("/v1/users/{id}/email/resend", "/v1/users/{id}/email/verify"):
        token = {"token": site.link(STREAM_ID)}
        answer = await site.post(path.format(id=STREAM_ID), token if "verify" in path else None)
        assert answer.status_code in (202, 410)
    assert await site.head() == before
