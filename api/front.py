"""The hottest requests, answered before the framework by the very handlers that are declared to it.

The framework takes three times as long as the rest of an empty answer: for finding the route, for the parameters that a
handler might have, for the layers that an answer might pass. Most requests need none of it. Those that do (a query, a
body that comes in parts, a page of another origin) are left to the framework, which answers alike.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, get_type_hints
from uuid import UUID

import msgspec
from litestar import Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter
from litestar.routes import HTTPRoute
from litestar.types import Guard, Receive, Send
from msgspec import Struct

from api.bodies import JsonRequest

__all__ = ["HOT", "Front", "Told"]

HOT: Final = ("register_user", "sign_in", "refresh_session", "user_by_id", "users", "me")
"""The operations that are answered here."""

Told = Callable[[Request[Any, Any, Any], Exception], Response[bytes]]

_ID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PARAMETER: Final = "/{user_id}"
_BODILESS: Final = (204, 304)
_FOR_THE_FRAMEWORK: Final = frozenset({b"origin", b"transfer-encoding", b"expect"})
_encode: Final = msgspec.json.Encoder().encode


class _Operation(Struct, frozen=True):
    """A declared handler; `headers` are the names that it takes as parameters, with the parameters' names."""

    handler: HTTPRouteHandler
    guards: list[Guard]
    template: str
    takes_body: bool
    headers: dict[bytes, str]


class Front:
    """Answers what it can of `HOT`, and leaves the rest to the framework."""

    def __init__(self, framework: Litestar, told: Told, most_bytes: int) -> None:
        self._framework = framework
        self._told = told
        self._most_bytes = most_bytes
        self._exact: dict[tuple[str, str], _Operation] = {}
        self._by_id: dict[tuple[str, str], _Operation] = {}
        for route in framework.routes:
            if isinstance(route, HTTPRoute):
                self._take(route)

    def _take(self, route: HTTPRoute) -> None:
        for handler in route.route_handlers:
            if handler.operation_id not in HOT:
                continue
            path = route.path_format
            found = _operation(handler, path)
            for method in handler.http_methods:
                if path.endswith(_PARAMETER):
                    self._by_id[method, path.removesuffix(_PARAMETER)] = found
                else:
                    self._exact[method, path] = found

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a request, here or by the framework."""
        method, path = scope["method"], scope["path"]
        if scope["query_string"]:
            await self._framework(scope, receive, send)
            return
        arguments: dict[str, Any] = {}
        operation = self._exact.get((method, path))
        if operation is None:
            collection, _, last = path.rpartition("/")
            operation = self._by_id.get((method, collection))
            if operation is None or not _ID.fullmatch(last):
                await self._framework(scope, receive, send)
                return
            arguments["user_id"] = UUID(last)
        if not _understood(scope["headers"], operation, arguments):
            await self._framework(scope, receive, send)
            return
        body = b""
        if operation.takes_body:
            message: Any = await receive()
            body = message.get("body", b"")
            if not body or message.get("more_body") or len(body) > self._most_bytes:
                await self._framework(scope, _again(message, receive), send)
                return
        await self._answer(operation, arguments, body, scope, receive, send)

    async def _answer(
        self, operation: _Operation, arguments: dict[str, Any], body: bytes, scope: Any, receive: Receive, send: Send
    ) -> None:
        handler = operation.handler
        scope["litestar_app"] = self._framework
        scope["route_handler"] = handler
        scope["path_template"] = operation.template
        request = JsonRequest(scope, receive, send)
        try:
            for guard in operation.guards:
                await guard(request, handler)  # type: ignore[misc] # all of ours are asynchronous
            if operation.takes_body:
                arguments["data"] = await request.having(body).json()
            response: Response[Any] = await handler.fn(request=request, **arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, the framework would have it told by the same
            response = self._told(request, error)
        await _send(response, handler.status_code, send)


def _operation(handler: HTTPRouteHandler, path: str) -> _Operation:
    hints = get_type_hints(handler.fn, include_extras=True)
    headers = {
        extra.name.lower().encode(): name
        for name, hint in hints.items()
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, HeaderParameter) and extra.name
    }
    return _Operation(handler, handler.resolve_guards(), path, "data" in hints, headers)


def _understood(headers: Sequence[tuple[bytes, bytes]], operation: _Operation, arguments: dict[str, Any]) -> bool:
    """Take the parameters that stand in headers; False where the framework has to look at them."""
    takes = operation.headers
    for name, value in headers:
        if name in _FOR_THE_FRAMEWORK:
            return False
        if (parameter := takes.get(name)) is not None:
            if parameter in arguments:
                return False
            arguments[parameter] = value.decode("latin-1")
    return True


def _again(message: Any, receive: Receive) -> Receive:
    """What was received is received once more."""
    kept = [message]

    async def receive_again() -> Any:
        return kept.pop() if kept else await receive()

    return receive_again


async def _send(response: Response[Any], status_code: int, send: Send) -> None:
    """Send a handler's response as the framework does."""
    status = response.status_code or status_code
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    content = response.content
    body = b""
    if status not in _BODILESS:
        body = content if isinstance(content, bytes) else _encode(content)
        media_type = response.media_type
        headers += (
            (
                b"content-type",
                media_type.encode() if isinstance(media_type, str) and media_type else b"application/json",
            ),
            (b"content-length", str(len(body)).encode()),
        )
    if response.cookies:
        headers += [cookie.to_encoded_header() for cookie in response.cookies if not cookie.documentation_only]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
