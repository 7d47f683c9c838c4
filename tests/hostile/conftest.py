"""What an enemy begins from: a whole Muster, and a server of it to which bytes can be sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from typing import ClassVar

import pytest

from api.server import PunctualProtocol
from tests.api.conftest import auditor, fresh, shared_site, site, somebody
from tests.api.site import Person, Site
from tests.sockets import listening

__all__ = ["Hasty", "Wire", "analyst", "auditor", "fresh", "shared_site", "site", "somebody", "wire"]


class Hasty(PunctualProtocol):
    """The server's own protocol, with less patience, so that tests need none."""

    request_seconds = 1
    unread_seconds = 2
    lost: ClassVar[int] = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        Hasty.lost += 1


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


@pytest.fixture(scope="package")
async def wire(shared_site: Site) -> AsyncIterator[Wire]:
    async with listening(shared_site.app, http=Hasty) as port:
        yield Wire(port)


@pytest.fixture(scope="package")
async def analyst(shared_site: Site) -> Person:
    return await shared_site.seen(await shared_site.person("analyst"))
