"""The hottest requests, which the framework does not see: they are answered as it would answer them."""

import uuid

import httpx
import pytest

from api.front import HOT
from api.request_log import RequestLog
from api.requests import Surrounding
from tests.api.factors import enrolled, passkey_challenge, with_passkey
from tests.api.site import PASSWORD, Site

OF_EACH_ANSWER = ("x-request-id", "traceparent", "ratelimit", "event-position", "link")
OF_EACH_BODY = (
    "id", "user_id", "request_id", "access_token", "refresh_token", "session_id", "expires_in", "last_seen_at", "next",
    "challenge",
)  # fmt: skip
JSON = {"Content-Type": "application/json"}
NOBODY = uuid.UUID(int=7)


@pytest.fixture
async def framework(site: Site):
    """The same process, asked through the framework alone."""
    app = Surrounding(
        site.app.framework, site.app.framework, site.settings.base_url, site.app._metrics, RequestLog("error")
    )
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type] # its types of ASGI are looser than the framework's
    async with httpx.AsyncClient(transport=transport, base_url=site.settings.base_url) as client:
        yield client


def told(answer: httpx.Response):
    """What an answer says, without what no two answers have in common."""
    headers = sorted(
        (name, "" if name in OF_EACH_ANSWER else _without_value(name, value))
        for name, value in answer.headers.multi_items()
    )
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body = {name: "" if name in OF_EACH_BODY else value for name, value in body.items()}
    return answer.status_code, headers, body


def _without_value(name: str, value: str) -> str:
    """A cookie by its name and attributes, a tag without when the user changed."""
    if name == "etag":
        return ".".join(value.split(".")[:3])
    return value.partition("=")[0] + value.partition(";")[2] if name == "set-cookie" else value


READS = [
    (path, headers)
    for path in ("/v1/me", "/v1/users", "/v1/users/{own}", "/v1/users/{other}", f"/v1/users/{NOBODY}", "/v1/users/x")
    for headers in (
        {},
        {"If-None-Match": "*"},
        {"If-None-Match": '"x"', "Prefer": "wait=2", "Min-Position": "1"},
        {"Min-Position": "-1"},
        {"Min-Position": "9223372036854775807", "Prefer": "wait=0"},
        {"X-Request-Id": "mine", "Accept": "text/html"},
        {"Origin": "https://elsewhere.example"},
    )
]


@pytest.mark.parametrize("as_whom", ["auditor", "somebody", "anonymous", "with a bad token"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reads_are_answered_alike(site, framework, somebody, auditor, as_whom, method):
    await site.seen(somebody)
    tokens = {
        "auditor": auditor.headers,
        "somebody": somebody.headers,
        "with a bad token": {"Authorization": "Bearer x.y.z"},
    }
    for path, headers in READS:
        url = path.format(own=somebody.id, other=auditor.id)
        sent = {**tokens.get(as_whom, {}), **headers}
        here = await site.client.request(method, url, headers=sent)
        there = await framework.request(method, url, headers=sent)
        assert told(here) == told(there), (url, headers)


BODIES = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff",
    b'{"email": "a@b.example", "email": "b@b.example", "password": "x"}',
    b'{"email": ["a@b.example"], "password": 7, "more": 1}',
    b'{"email": "nobody at all", "password": "short"}',
    b'{"email": "a\\u0000@b.example", "password": "correct horse battery staple"}',
    b'{"refresh_token": "mrt_nothing"}',
    b'{"challenge": "nothing", "totp": "123456"}',
    b'{"challenge": "nothing", "recovery_code": ""}',
    b'{"challenge": "nothing", "totp": "123456", "password": "short"}',
    b'{"passkey": {"id": "AAAA"}}',
    b"[" * 100_000,
    b" " * 70_000 + b"{}",
]


@pytest.mark.parametrize("path", ["/v1/users", "/v1/sessions", "/v1/sessions/refresh"])
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8", "text/plain", None])
async def test_bodies_that_are_refused_are_refused_alike(site, framework, path, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    for body in BODIES:
        for more in ({}, {"Prefer": "dry-run"}, {"Idempotency-Key": ""}):
            here = await site.client.post(path, content=body, headers={**headers, **more})
            there = await framework.post(path, content=body, headers={**headers, **more})
            assert told(here) == told(there), (body[:80], more)
            assert here.status_code >= 400


async def test_commands_are_answered_alike(site, framework):
    async def said(client, path, body, headers=()):
        return told(await client.post(path, json=body, headers=dict(headers)))

    async def lives(client):
        email = site.new_email()
        registered = await client.post("/v1/users", json={"email": email, "password": PASSWORD})
        yield told(registered)
        yield await said(client, "/v1/users", {"email": email, "password": PASSWORD, "display_name": "Ada"})
        yield await said(client, "/v1/sessions", {"email": email, "password": PASSWORD})
        person = await site.person()
        signed_in = await client.post("/v1/sessions", json={"email": person.email, "password": PASSWORD})
        yield told(signed_in)
        yield await said(client, "/v1/sessions", {"email": person.email, "password": "wrong " + PASSWORD})
        yield await said(client, "/v1/sessions/refresh", {"refresh_token": signed_in.json()["refresh_token"]})
        yield await said(client, "/v1/sessions/refresh", {"refresh_token": "nothing"})
        who = await enrolled(site)
        asked = await client.post("/v1/sessions", json={"email": who.person.email, "password": PASSWORD})
        yield told(asked)
        challenge = asked.json()["challenge"]
        for code in (who.app.wrong(), who.app.code(), who.app.wrong()):
            yield await said(client, "/v1/sessions", {"challenge": challenge, "totp": code})
        _person, authenticator, _added = await with_passkey(site)
        for _ in range(2):
            signed = authenticator.sign(await passkey_challenge(site))
            yield await said(client, "/v1/sessions", {"passkey": signed})
        key = {"Idempotency-Key": str(uuid.uuid4())}
        for _ in range(2):
            yield await said(client, "/v1/users", {"email": "again@example.com", "password": PASSWORD}, key.items())
        yield await said(client, "/v1/users", {"email": "other@example.com", "password": PASSWORD}, key.items())

    site.client.cookies.clear()
    here = [_without_length(answer) async for answer in lives(site.client)]
    there = [_without_length(answer) async for answer in lives(framework)]
    assert here == there


def _without_length(answer):
    status, headers, body = answer
    return status, [header for header in headers if header[0] != "content-length"], body


async def test_administrators_add_users_alike(site, framework):
    async def added(client):
        body = {"email": site.new_email(), "password": PASSWORD}
        answer = await client.post("/v1/users", json=body, headers=site.administrator.headers)
        status, headers, body = told(answer)
        given = {"email", "registered_at", "updated_at"}
        kept = [header for header in headers if header[0] not in ("location", "content-length")]
        return status, kept, {name: value for name, value in body.items() if name not in given}

    assert await added(site.client) == await added(framework)


async def test_a_body_in_parts_is_left_to_the_framework(site):
    async def parts():
        yield b'{"email": "in-parts@example.com", '
        yield b'"password": "%s"}' % PASSWORD.encode()

    answer = await site.client.post("/v1/users", content=parts(), headers=JSON)
    assert answer.status_code == 202


async def test_every_hot_operation_is_taken(site):
    front = site.app._app
    taken = {operation.handler.operation_id for operation in (*front._exact.values(), *front._by_id.values())}
    assert taken == set(HOT)
