"""What an enemy begins from: a whole Muster, and a server of it to which bytes can be sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from api.server import PunctualProtocol
from tests.api.conftest import auditor, fresh, shared_site, site, somebody
from tests.api.site import Person, Site

__all__ = ["Wire", "analyst", "auditor", "fresh", "shared_site", "site", "somebody", "wire"]


class Hasty(PunctualProtocol):
    """The server's own protocol, with less patience, so that tests need none."""

    request_seconds = 0.5


class Wire:
    """A server that speaks HTTP over a socket."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def said(self, *parts: bytes, pause: float = 0, wait: float = 5) -> bytes:
        """Everything that comes back for these bytes, until the server closes or nothing more is said."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with closing(writer):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause)
            except ConnectionError:
                pass
            answer = b""
            try:
                async with asyncio.timeout(wait):
                    while more := await reader.read(65536):
                        answer += more
            except (TimeoutError, ConnectionError):
                pass
            return answer


@pytest.fixture(scope="session")
async def wire(shared_site: Site) -> AsyncIterator[Wire]:
    options: Any = {"lifespan": "off", "log_config": None, "access_log": False, "server_header": False}
    app: Any = shared_site.app
    config = uvicorn.Config(app, port=0, http=Hasty, ws="none", **options)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())  # without its signal handlers: the test run has its own
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    yield Wire(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    await task


@pytest.fixture(scope="session")
async def analyst(shared_site: Site) -> Person:
    return await shared_site.seen(await shared_site.person("analyst"))
