"""What surrounds every request: its id, headers, HEAD, when it is answered, log line, metrics, and the last guard.

One plain ASGI wrapper outside the framework, because the framework's own middleware does not see 404 and 405, and
because this is where every microsecond is paid by every request.
"""

import re
import time
from typing import Any, Final

import structlog
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.status_codes import HTTP_204_NO_CONTENT
from litestar.types import ASGIApp, Message, Receive, Send

from api.even_answers import EVEN_FROM_STATUS
from api.limits import rate_limit_headers
from api.logs import request_id
from api.metrics import Metrics
from api.problems import answer
from api.reasons import InternalError, InvalidHost
from api.request_log import RequestLog
from api.runtime import Runtime
from api.tracing import trace
from commands.passwords import HASHING_TOOK

__all__ = ["Surrounding", "host_is_valid"]

# A name or an IPv4 address, or an IPv6 address in brackets, and perhaps a port (RFC 9110 section 7.2).
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
CLIENT_GONE: Final = 499
NEVER_EVEN: Final = 1000

_log = structlog.get_logger()


def host_is_valid(host: bytes | None) -> bool:
    """Whether a Host header names a host and, if it does, a port that there can be."""
    found = _HOST.fullmatch(host or b"")
    return found is not None and int(found[1] or 0) <= 65535


def _security_headers(https: bool) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    ]
    if https:
        headers.append((b"strict-transport-security", b"max-age=63072000; includeSubDomains"))
    return headers


def _allowed(framework: Litestar) -> dict[str, bytes]:
    """The methods of each path."""
    methods: dict[str, set[str]] = {}
    for route in framework.routes:
        if isinstance(route, HTTPRoute):
            methods.setdefault(route.path_format, set()).update(map(str, route.methods))
    return {
        path: ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set()))).encode()
        for path, found in methods.items()
    }


_CSP: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class Surrounding:
    """The outermost ASGI application. `lifespan` is the framework's, for whoever runs it without a server."""

    def __init__(self, framework: Litestar, front: ASGIApp, base_url: str, metrics: Metrics, log: RequestLog) -> None:
        self.framework = framework
        self.lifespan = framework.lifespan
        self._app = front
        self._request_log = log
        self._base_url = base_url
        self._metrics = metrics
        self._allowed = _allowed(framework)
        self._security = _security_headers(base_url.startswith("https:"))

    @property
    def process(self) -> Runtime:
        """What the process holds open, while its lifespan lasts."""
        made: Runtime = self.framework.state.runtime
        return made

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        if scope["type"] != "http":
            await self.framework(scope, receive, send)
            return
        started = time.perf_counter()
        method = scope["method"]
        host = asked_id = asked_trace = None
        hosts = 0
        for name, value in scope["headers"]:
            if name == b"host":
                host, hosts = value, hosts + 1
            elif name == b"x-request-id":
                asked_id = value
            elif name == b"traceparent":
                asked_trace = value
        number, span = trace(asked_id, asked_trace)
        request_id.set(number)
        HASHING_TOOK.set(0.0)  # requests that come in one go may share a context
        scope["user"] = None  # until a guard finds out
        if method == "HEAD":
            # The framework has no HEAD; the server, and `send` below, leave the body out.
            scope = {**scope, "method": "GET"}
        answered, ended = 0, False

        async def send_surrounded(message: Message) -> None:
            nonlocal answered, ended
            if message["type"] == "http.response.start":
                answered = message["status"]
                headers = [*message["headers"], *self._security]
                if method == "OPTIONS" and answered == HTTP_204_NO_CONTENT:
                    # The framework forgets the methods that were declared apart from the first.
                    headers = [header for header in headers if header[0].lower() != b"allow"]
                    headers.append((b"allow", self._allowed.get(scope.get("path_template", ""), b"OPTIONS")))
                if not any(name == b"content-security-policy" for name, _ in headers):
                    headers.append(_CSP)
                headers += [(b"x-request-id", number.encode()), (b"traceparent", span.encode())]
                if told := scope.get("limits"):
                    headers += rate_limit_headers(told)
                message["headers"] = headers
                if answered >= scope.get(EVEN_FROM_STATUS, NEVER_EVEN):
                    await self.process.even_answers.point(started + HASHING_TOOK.get())
            elif method == "HEAD":
                if ended:
                    return
                ended = True  # and whoever streams stops, as for a client that goes away
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        try:
            if hosts > 1 or not (host_is_valid(host) or (hosts == 0 and scope["http_version"] == "1.0")):
                await self._decline(InvalidHost(), scope, send_surrounded)
            else:
                await self._app(scope, receive, send_surrounded)
        except Exception as error:  # the last guard: whatever it is, it is told in our words
            _log.error("request failed", exc_info=error)
            if answered:
                raise
            await self._decline(InternalError(), scope, send_surrounded)
        finally:
            seconds = time.perf_counter() - started
            route = scope.get("path_template") or ""
            status = CLIENT_GONE if scope.get("client_gone") else answered
            self._metrics.request(method, route, status, seconds)
            user = scope.get("user")
            caller = None if user is None else user.user_id
            self._request_log.note(method, route, status, seconds, span, caller, number)

    async def _decline(self, reason: Exception, scope: Any, send: Send) -> None:
        path = scope.get("raw_path", b"").decode("ascii", "replace")
        status, headers, body = answer(reason, base_url=self._base_url, path=path, request_id=request_id.get())
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body, "more_body": False})
