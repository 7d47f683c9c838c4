"""The fuzzing finds what is wrong, when something is."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.api.site import in_one_task
from tests.fuzz.house import House, house
from tests.fuzz.known import Known
from tests.fuzz.run import Asked, fuzz

Answer = tuple[int, dict[bytes, bytes], bytes]


class Faulty:
    """Stands before the application, and spoils its answers as it is told to."""

    fault: Callable[[int, dict[bytes, bytes], bytes], Answer]

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        start: dict[str, Any] = {}
        body = b""

        async def spoil(message: Any) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                status, headers, spoilt = Faulty.fault(start["status"], dict(start["headers"]), body)
                headers[b"content-length"] = str(len(spoilt)).encode()
                await send({**start, "status": status, "headers": [*headers.items()]})
                await send({"type": "http.response.body", "body": spoilt})

        await self._app(scope, receive, send if scope["path"] == "/openapi.json" else spoil)


@pytest.fixture(scope="module")
async def faulty(make_database: Callable[[], Any]) -> AsyncIterator[House]:
    async with in_one_task(house(await make_database(), around=Faulty)) as made:
        yield made


def server_error(_status, headers, body):
    return 500, headers, body


def undeclared_status(_status, headers, body):
    return 418, headers, body


def another_shape(status, headers, _body):
    return status, headers, json.dumps({"status": 7}).encode()


def no_request_id(status, headers, body):
    return status, {name: value for name, value in headers.items() if name != b"x-request-id"}, body


def another_media_type(status, headers, body):
    return status, {**headers, b"content-type": b"text/csv"}, body


def no_challenge(status, headers, body):
    return status, {name: value for name, value in headers.items() if name != b"www-authenticate"}, body


def everyone_let_in(status, headers, body):
    return (200 if status == 401 else status), headers, body


@pytest.mark.parametrize(
    ("fault", "path", "check"),
    [
        (server_error, "/livez", "not_a_server_error"),
        (undeclared_status, "/livez", "status_code_conformance"),
        (another_shape, "/livez", "response_schema_conformance"),
        (no_request_id, "/livez", "response_headers_conformance"),
        (another_media_type, "/livez", "content_type_conformance"),
        (no_challenge, "/v1/me", "response_headers_conformance"),
        (everyone_let_in, "/v1/me", "ignored_auth"),
    ],
)
async def test_finds(faulty, monkeypatch, fault, path, check):
    monkeypatch.setattr(Faulty, "fault", staticmethod(fault), raising=False)
    asked = Asked("user", 1, 10, ("coverage", "fuzzing"), path)
    report = await asyncio.to_thread(fuzz, faulty, Known(faulty), asked)
    assert check in {finding.check for finding in report.findings.values()}
