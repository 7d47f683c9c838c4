"""A real SMTP server that counts what it takes, and misbehaves when it is told to."""

import asyncio
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Any, Literal

from aiosmtpd.smtp import SMTP

from tests.support import until

__all__ = ["Mail"]


class Mail:
    """Takes everything, twice if it is sent twice; `manner` says how it behaves from now on.

    `hang up` greets nobody, `silent` says nothing at all, `drop` takes a mail and never says so, `drag` does not answer.
    """

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.attempts = 0
        self.answers: list[str] = []
        self.manner: Literal["well", "hang up", "silent", "drop", "drag"] = "well"
        self.url = ""
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Refuse connections."""
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(0)

    def _connected(self) -> asyncio.BaseProtocol:
        self.connections += 1
        if self.manner == "hang up":
            return _HangsUp()
        if self.manner == "silent":
            return asyncio.Protocol()
        return SMTP(self, hostname="localhost", loop=asyncio.get_running_loop(), enable_SMTPUTF8=True)

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Take a mail, or answer with the next of `answers`."""
        self.attempts += 1
        if self.answers:
            return self.answers.pop(0)
        if self.manner == "drag":
            await asyncio.sleep(3600)
        self.taken.append(message_from_bytes(envelope.content, policy=POLICY))
        if self.manner == "drop":
            server.transport.abort()
        return "250 OK"

    async def reach(self, number: int, count: Callable[[], int] | None = None) -> None:
        """Return once so many mails were taken, or as much as `count` says."""

        async def reached() -> bool:
            return (count() if count else len(self.taken)) >= number

        await until(reached)

    @property
    def ids(self) -> list[str]:
        """The Message-IDs of what was taken."""
        return [str(message["Message-ID"]) for message in self.taken]

    @property
    def recipients(self) -> list[str]:
        """To whom what was taken goes."""
        return [str(message["To"]) for message in self.taken]


class _HangsUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
