"""What surrounds every request."""

import re

import pytest

from api.requests import host_is_valid
from api.tracing import trace
from tests.api.site import served


async def test_every_answer_carries_the_security_headers(site, somebody):
    for path in ("/livez", "/v1/me", "/nowhere", "/docs", "/verify-email"):
        headers = (await site.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["strict-transport-security"].startswith("max-age=")
        assert "server" not in headers


async def test_a_request_id_comes_back(site):
    answer = await site.get("/livez", headers={"X-Request-Id": "from-the.proxy_1"})
    assert answer.headers["x-request-id"] == "from-the.proxy_1"


async def test_a_request_id_that_is_none_is_replaced(site):
    for strange in ("", "a b", "x" * 129, 'a"b', "é"):
        answer = await site.client.get("/nowhere", headers=[(b"x-request-id", strange.encode())])
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_trace_goes_on(site):
    sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    version, trace_id, span, flags = (
        (await site.get("/livez", headers={"traceparent": sent})).headers["traceparent"].split("-")
    )
    assert (version, trace_id, flags) == ("00", "4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert span != "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "strange",
    [
        b"",
        b"00-x",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ],
)
def test_a_trace_that_is_none_is_begun(strange):
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace(None, strange)[1])


@pytest.mark.parametrize("path", ["/livez", "/v1/me", "/.well-known/jwks.json", "/docs", "/sign-up"])
async def test_head_answers_like_get_without_the_body(site, somebody, path):
    get, head = await site.get(path, somebody), await site.request("HEAD", path, somebody)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert head.headers.get("etag") == get.headers.get("etag")


async def test_head_does_nothing_where_get_does_nothing(site):
    answer = await site.request("HEAD", "/v1/sessions")
    assert answer.status_code == 405


@pytest.mark.parametrize(
    "host", [b"example.com", b"EXAMPLE.com:443", b"127.0.0.1:8000", b"[::1]:8000", b"[::1]", b"a_b", b"x:65535"]
)
def test_hosts_that_there_are(host):
    assert host_is_valid(host)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"evil.example:99999999",
        b"evil.example:65536",
        b"evil.example:",
        b"evil.example:-1",
        b"evil example",
        b"evil.example/path",
        b"user@evil.example",
        b"evil.example\r\nx: y",
        b"evil.example, other.example",
        b"[::1",
        b"[gg]",
        b"\xff",
        b"x" * 256,
        b'"><script>',
    ],
)
def test_hosts_that_there_are_not(host):
    assert not host_is_valid(host)


async def test_options_says_what_can_be_done(site):
    for path, allowed in (
        ("/v1/users", "GET, HEAD, OPTIONS, POST"),
        ("/v1/users/0190b0a6-ad31-7000-8000-61646d696e73/roles/auditor", "DELETE, OPTIONS, PUT"),
        ("/livez", "GET, HEAD, OPTIONS"),
    ):
        answer = await site.request("OPTIONS", path)
        assert (answer.status_code, answer.headers["allow"]) == (204, allowed)


async def test_pages_of_others_may_not_call_unless_they_are_named(site, database):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    closed = await site.request("OPTIONS", "/v1/sessions", headers=asked)
    assert "access-control-allow-origin" not in closed.headers
    async with served(database, cors_origins="https://app.example, https://other.example") as opened:
        allowed = await opened.request("OPTIONS", "/v1/sessions", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in allowed.headers
        stranger = await opened.request("OPTIONS", "/v1/sessions", headers={**asked, "Origin": "https://evil.example"})
        assert stranger.headers.get("access-control-allow-origin") is None
        answer = await opened.get("/livez", headers={"Origin": "https://app.example"})
        assert "Event-Position" in answer.headers["access-control-expose-headers"]
