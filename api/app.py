"""Wires the HTTP face: routes, problems, documentation, and what a process holds open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar, Request, Response

from api.logs import request_id
from api.machines import Machines
from api.metrics import Metrics
from api.problems import MEDIA_TYPE, answer
from api.requests import Surrounding
from api.runtime import runtime
from settings import Settings

__all__ = ["create_app"]

MOST_BODY_BYTES = 64 * 1024

_log = structlog.get_logger()


def create_app(settings: Settings) -> Surrounding:
    """The ASGI application. It opens the store when its lifespan starts, and closes it when what it took is done."""
    metrics = Metrics()
    base_url = settings.base_url.rstrip("/")

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with runtime(settings, metrics) as process:
            app.state.runtime, app.state.gate = process, process.gate
            yield

    def told(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        path = request.scope["raw_path"].decode("ascii", "replace")
        status, headers, body = answer(error, base_url=base_url, path=path, request_id=request_id.get())
        if status == 500:
            _log.error("request failed", exc_info=error)
        media_type = headers.pop("Content-Type", MEDIA_TYPE)
        return Response(body, status_code=status, headers=headers, media_type=media_type)

    app = Litestar(
        [Machines],
        lifespan=[lifespan],
        exception_handlers={Exception: told},
        logging_config=None,
        request_max_body_size=MOST_BODY_BYTES,
    )
    return Surrounding(app, app.lifespan, base_url, metrics)
