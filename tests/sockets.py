"""An application of this process behind a socket of its own, for what cannot be asked in one piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

__all__ = ["listening"]


@asynccontextmanager
async def listening(app: Any, **options: Any) -> AsyncIterator[int]:
    """The port at which an application, whose lifespan has begun, is served while the context is open."""
    usual: dict[str, Any] = {"lifespan": "off", "log_config": None, "access_log": False, "server_header": False}
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws="none", **usual, **options))
    task = asyncio.create_task(server._serve())  # without its signal handlers: whoever runs this has their own
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task
