"""Wires the HTTP face: routes, problems, documentation, and what a process holds open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import structlog
from litestar import Litestar, Request, Response
from litestar.config.cors import CORSConfig

from api.addresses import Addresses
from api.administrators import Administrators
from api.api_keys import ApiKeys
from api.bodies import Body, ClientGone, JsonRequest, invalid_fields
from api.deliveries import Deliveries
from api.documentation import configuration, openapi_json
from api.erasures import Erasures
from api.event_stream import EventStream
from api.exports import Exports
from api.front import Front
from api.history import History
from api.imports import Imports
from api.invitations import Invitations
from api.logs import request_id
from api.machines import Machines
from api.metadata import Metadata
from api.metrics import Metrics
from api.pages import Pages
from api.passkeys import Passkeys, PasskeySignIns
from api.passwords import Passwords, Resets
from api.personal_data import PersonalDataOfUser
from api.problem_pages import ProblemTypes
from api.problems import MEDIA_TYPE, answer
from api.profiles import Profiles
from api.projections import Projections
from api.reasons import InvalidFields
from api.request_log import RequestLog
from api.requests import Surrounding
from api.roles import Roles
from api.runtime import runtime
from api.second_factors import SecondFactors
from api.service_accounts import ServiceAccounts
from api.sessions import Sessions, SessionsOfUser
from api.statistics import Statistics
from api.stepping_up import SteppingUp
from api.suspensions import Suspensions
from api.users import Me, Users
from commands import errors
from settings import Settings

__all__ = ["create_app"]

MOST_BODY_BYTES = 64 * 1024
OF_ONE_FIELD = (
    errors.InvalidAddress,
    errors.InvalidDisplayName,
    errors.InvalidLabel,
    errors.InvalidLocale,
    errors.InvalidMetadata,
    errors.InvalidPicture,
    errors.InvalidScope,
    errors.InvalidTimeZone,
    errors.WeakPassword,
)
ROUTES = (
    Addresses,
    Administrators,
    ApiKeys,
    Deliveries,
    Erasures,
    EventStream,
    Exports,
    History,
    Imports,
    Invitations,
    Machines,
    Me,
    Metadata,
    Pages,
    PasskeySignIns,
    Passkeys,
    Passwords,
    PersonalDataOfUser,
    ProblemTypes,
    Profiles,
    Projections,
    Resets,
    Roles,
    SecondFactors,
    ServiceAccounts,
    Sessions,
    SessionsOfUser,
    Statistics,
    SteppingUp,
    Suspensions,
    Users,
    openapi_json,
)

_log = structlog.get_logger()


def create_app(settings: Settings) -> Surrounding:
    """The ASGI application. It opens the store when its lifespan starts, and closes it when what it took is done."""
    metrics = Metrics()
    base_url = settings.base_url.rstrip("/")

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with runtime(settings, metrics) as process:
            app.state.runtime, app.state.gate, app.state.limits = process, process.gate, process.limits
            yield

    def told(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        if isinstance(error, OF_ONE_FIELD):
            error = _all_that_is_wrong(request, error)
        path = request.scope["raw_path"].decode("ascii", "replace")
        status, headers, body = answer(
            error, base_url=base_url, path=path, request_id=request_id.get(), lock_minutes=settings.lock_minutes
        )
        if status == 500 and not isinstance(error, ClientGone):
            _log.error("request failed", exc_info=error)
        media_type = headers.pop("Content-Type", MEDIA_TYPE)
        return Response(body, status_code=status, headers=headers, media_type=media_type)

    app = Litestar(
        ROUTES,
        lifespan=[lifespan],
        request_class=JsonRequest,
        exception_handlers={Exception: told},
        openapi_config=configuration(base_url),
        logging_config=None,
        request_max_body_size=MOST_BODY_BYTES,
        cors_config=_cors(settings.cors_origins),
    )
    return Surrounding(app, Front(app, told, MOST_BODY_BYTES), base_url, metrics, RequestLog(settings.log_level))


def _cors(origins: str) -> CORSConfig | None:
    """Which pages of others may call the API; without its cookie, there is nothing that they could do in anyone's name."""
    listed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not listed:
        return None
    return CORSConfig(
        allow_origins=listed,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "If-None-Match",
            "Last-Event-ID",
            "Min-Position",
            "Prefer",
            "X-Request-Id",
        ],
        expose_headers=[
            "ETag",
            "Event-Position",
            "Left-Out",
            "Link",
            "Location",
            "Preference-Applied",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "X-Request-Id",
        ],
    )


def _all_that_is_wrong(request: Request[Any, Any, Any], error: Exception) -> Exception:
    """A command tells of the first field that it refuses; whoever sent a form wants to know of all of them."""
    document, kind = cast("tuple[Any, type[Body]] | tuple[None, None]", request.scope.get("document", (None, None)))
    errors = invalid_fields(document, kind) if kind is not None else []
    return InvalidFields(errors=errors) if errors else error
