"""The OpenAPI 3.1 document, and the page at `/docs` that renders it without asking any other server for anything."""

import gzip
import html
import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import ScalarRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Server, Tag
from litestar.router import Router

from api.idempotency import HEADER, MEANING
from api.imports import NDJSON
from api.onwards import say_where_answers_lead
from api.strictness import say_what_is_refused

__all__ = ["configuration", "document", "openapi_json"]

PATH: Final = "/docs"
SCRIPT: Final = f"{PATH}/scalar.js"
OPTIONS: Final = {
    "url": "/openapi.json",
    "withDefaultFonts": False,
    "telemetry": False,
    "hideClientButton": True,
    "agent": {"disabled": True},
    "mcp": {"disabled": True},
}
# Scalar writes its styles into the page; everything else comes from here and goes here.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DESCRIPTION: Final = """\
An event-sourced registry of users. Commands are recorded as events; views follow them within milliseconds.

A command that was accepted answers its place in the log in `Event-Position`. Send that number as `Min-Position`, with
`Prefer: wait=N`, to a view that has to show it already. Errors are problems (RFC 9457), each of a type that resolves.
"""


class ScalarPage(ScalarRenderPlugin):
    """Scalar from a file of ours, on a page without scripts of its own."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the page fetches it
        """The page; what Scalar is told stands in an attribute."""
        options = html.escape(json.dumps(OPTIONS))
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Muster</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>'
            f'<script id="api-reference" type="application/json" data-configuration="{options}"></script>'
            f'<script src="{SCRIPT}"></script></body></html>'
        ).encode()

    def receive_router(self, router: Router) -> None:
        """Add the script, and leave what is not there to the problems of the API.

        The framework would serve the document here too, as it is before `document` has finished it.
        """
        router.register(_script)
        router.routes[:] = [
            route for route in router.routes if "{" not in route.path and not route.path.endswith("/openapi.json")
        ]


@get("/scalar.js", sync_to_thread=False)
def _script(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Compressed as it lies there, for everyone who takes that."""
    packed = _packed()
    headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        packed = gzip.decompress(packed)
    return Response(packed, headers=headers, media_type="text/javascript; charset=utf-8")


@cache
def _packed() -> bytes:
    return files("api").joinpath("static", "scalar.js.gz").read_bytes()


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The document."""
    return Response(document(request.app), media_type="application/vnd.oai.openapi+json;version=3.1")


def configuration(base_url: str) -> OpenAPIConfig:
    """What the document says beside the routes."""
    scheme = SecurityScheme(
        type="http",
        scheme="bearer",
        bearer_format="JWT",
        description="`access_token` of `POST /v1/sessions`, or an API key.",
    )
    router = Router(
        PATH, route_handlers=[], include_in_schema=False, response_headers={"Content-Security-Policy": POLICY}
    )
    return OpenAPIConfig(
        title="Muster",
        version=version("muster"),
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        servers=[Server(url=base_url)],
        components=Components(security_schemes={"token": scheme}),
        tags=[Tag(name=name, description=said) for name, said in TAGS.items()],
        use_handler_docstrings=True,
        openapi_router=router,
        render_plugins=[ScalarPage(path="/", js_url=SCRIPT)],
    )


TAGS: Final = {
    "Users": "People, and what is known of them now.",
    "Addresses": "Proving an address, changing it, and taking it back.",
    "Passwords": "Changing a password, and having it reset by mail.",
    "Sessions": "Signing in, going on, signing out.",
    "Second factors": "What is asked for beside the password, and what stands in for it.",
    "Invitations": "Becoming a user because an administrator wants it.",
    "API keys": "What programs ask with, in somebody's name.",
    "Roles": "Who may do what.",
    "History": "What happened: who did what, when and why.",
    "Operations": "For whoever looks after views and mail.",
    "Statistics": "How many, and when; for analysts.",
    "Machines": "For whoever watches processes and verifies tokens.",
}


def document(app: Litestar) -> bytes:
    """The document as JSON, made once."""
    made: bytes | None = app.state.get("openapi_json")
    if made is None:
        schema = app.openapi_schema.to_schema()
        say_what_is_refused(schema)
        say_where_answers_lead(schema)
        schema["components"]["headers"] = {name: _header(name, required=name not in SOMETIMES) for name in HEADERS}
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                if operation["operationId"] in STREAMED:
                    operation["requestBody"] = STREAMED[operation["operationId"]]
                elif method not in ("get", "head") and path.startswith("/v1/"):
                    operation.setdefault("parameters", []).append(IDEMPOTENCY)
                for status, response in operation["responses"].items():
                    response["headers"] = _headers(path, operation, status)
                    if status in ("204", "304"):
                        response.pop("content", None)
        made = app.state.openapi_json = msgspec.json.encode(schema)
    return made


STREAMED: Final = {
    "import_users": {
        "required": True,
        "description": "A user in each line, as the page on the HTTP API tells. A line has at most 64 KiB; the body has no bound.",
        "content": {NDJSON: {"schema": {}}},
    }
}
"""Bodies that are taken as they come. To send the same again is safe without a key."""

IDEMPOTENCY: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": MEANING,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
}
HEADERS: Final = {
    "X-Request-Id": "The id of the request: yours, or one of ours.",
    "WWW-Authenticate": "What is missing (RFC 6750).",
    "Retry-After": "After how many seconds to try again.",
    "Event-Position": "The position in the log of what was recorded, or that the view reflects.",
    "ETag": "The version of what was answered, or that the command left.",
    "Link": 'The next page, as `rel="next"`.',
    "Left-Out": "How many users are on no page, because the view could not take something that happened to them.",
    "Location": "Where the new one is.",
    "Preference-Applied": "The preference that was honoured.",
    "RateLimit-Policy": "How often this may be asked for: `q` requests in `w` seconds, by client address and by account.",
    "RateLimit": "How many requests are left (`r`), and after how many seconds there will be more (`t`).",
}
SOMETIMES: Final = {"Left-Out", "Link", "Preference-Applied", "RateLimit", "RateLimit-Policy"}
FORMS: Final = {
    "Retry-After": {"pattern": "^[0-9]+$"},
    "Event-Position": {"pattern": "^[0-9]{1,19}$"},
    "Left-Out": {"pattern": "^[0-9]+$"},
    "ETag": {"pattern": '^"[!#-~]*"$'},
}


def _headers(path: str, operation: dict[str, Any], status: str) -> dict[str, dict[str, Any]]:
    """The headers that an answer of this status carries, or may carry."""
    names = ["X-Request-Id"]
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "429" in operation["responses"]:
        names += ["RateLimit-Policy", "RateLimit"]
    if status in ("401", "403"):
        names.append("WWW-Authenticate")
    elif status in ("429", "503"):
        names.append("Retry-After")
    elif status == "200" and {"201", "202", "204"} & operation["responses"].keys():
        names.append("Preference-Applied")  # it tells what would be done, and does not do it
    elif status in ("200", "201", "204", "304") and path.startswith("/v1/"):
        names.append("Event-Position")
        if status == "204" or (path, status) == ("/v1/users", "201") or "If-None-Match" in parameters:
            names.append("ETag")
        if "cursor" in parameters:
            names.append("Link")
        if (path, status) == ("/v1/users", "200"):
            names.append("Left-Out")
        if "Prefer" in parameters:
            names.append("Preference-Applied")
        if status == "201" and path != "/v1/sessions":
            names.append("Location")
    headers: dict[str, dict[str, Any]] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if status == "200" and parameters >= {"Prefer", HEADER} and "Event-Position" in names:
        headers["Event-Position"] = _header("Event-Position", required=False)  # not of what is only tried out
    return headers


def _header(name: str, *, required: bool) -> dict[str, Any]:
    return {
        "description": HEADERS[name],
        "required": required,
        "schema": {"type": "string", **FORMS.get(name, {})},
    }
