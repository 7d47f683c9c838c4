"""Runs the API on uvicorn: a server that ends in good order, and closes on those who dawdle."""

import asyncio
import gc
from functools import partial
from typing import Any, ClassVar, Final

import asyncpg
import msgspec
import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.app import create_app
from api.bodies import LET_LAST
from api.event_stream import ON_END
from api.logs import configure
from events.connections import TROUBLE, connect
from events.epochs import NotReconciled, current_epoch
from events.migrations.roles import role_url
from settings import Settings, key_bytes

__all__ = ["PunctualProtocol", "serve"]

REQUEST_SECONDS: Final = 12
"""Within which a request, headers and body, has to be here, and of a body that may last so much as is below."""
LEAST_BODY_BYTES: Final = 4 * 1024
LASTING: Final = b"/v1/imports"
"""Where bodies may last, if the application lets them."""
IDLE_SECONDS: Final = 12
"""For how long a connection may be idle between two requests."""
UNREAD_SECONDS: Final = 120
"""For how long an answer may wait for a client who does not read it: some 400 bytes a second are enough."""
GRACE_SECONDS: Final = 8
"""How long requests that were taken may last when the process is to end."""
MOST_HEADER_BYTES: Final = 64 * 1024

_log = structlog.get_logger()


class PunctualProtocol(HttpToolsProtocol):
    """Closes connections whose request does not come in time or whose answer is not read, and those whose headers have no end.

    The application may let the body of a request last, for as long as it comes on. While it does not ask for more, it is
    not the client who dawdles.
    """

    request_seconds: ClassVar[float] = REQUEST_SECONDS
    unread_seconds: ClassVar[float] = UNREAD_SECONDS
    _lasting: bool = False
    _body_bytes: int = 0
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _header_bytes: int | None = 0

    def connection_made(self, transport: Any) -> None:
        """Give the first request its time."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Take what has come, and give a request that begins its time."""
        if not self._answering():
            self._arm()
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if (self._header_bytes or 0) > MOST_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        """Give the next request its time."""
        super().on_message_begin()
        self._lasting, self._body_bytes = False, 0
        self._arm()

    def on_headers_complete(self) -> None:
        """Count no more: how large a body may be, and whether it may last, the application says."""
        self._header_bytes = None
        if self.url == LASTING:
            self.scope["state"][LET_LAST] = partial(self._let_last, self.scope)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that it comes on."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It was in time."""
        self._disarm()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever: an answer may be without end."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It was read on."""
        self._read_on()
        super().resume_writing()

    def shutdown(self) -> None:
        """Have answers that would never end do so, and finish the others."""
        if self._answering() and (end := self.scope["state"].get(ON_END)):
            end()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._disarm()
        self._read_on()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is answered by a problem too, though there is no request to give it an id."""
        body = msgspec.json.encode({"type": "about:blank", "title": "Malformed request", "status": 400, "detail": msg})
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n"
            b"connection: close\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        self.transport.close()

    def _let_last(self, scope: Any) -> None:
        if scope is self.scope:  # and not a request that came after it
            self._lasting = True

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _arm(self) -> None:
        if self._deadline is None:
            self._header_bytes = 0
            self._deadline = self.loop.call_later(self.request_seconds, self._too_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _read_on(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_late(self) -> None:
        self._deadline = None
        if self._answering() and not self.cycle.more_body:
            self._arm()  # an earlier request of this connection is still being answered
        elif self._lasting and (self._body_bytes >= LEAST_BODY_BYTES or self.flow.read_paused):
            self._body_bytes = 0
            self._deadline = self.loop.call_later(self.request_seconds, self._too_late)
        elif not self.transport.is_closing():
            self.transport.close()


async def _refusal(settings: Settings) -> str | None:
    """Why nothing must open on this log; None as well when nobody can be asked, for then it does not open anyway."""
    url = role_url(settings.database_url, "writer", key_bytes(settings.secret))
    try:
        connection = await connect(url, "muster api")
    except TROUBLE:
        return None
    try:
        await current_epoch(connection)
    except NotReconciled as refusal:
        return str(refusal)
    except asyncpg.PostgresError:
        return None
    finally:
        await connection.close()
    return None


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then finish what was taken; the exit code, 2 where something must be done first."""
    configure(settings.log_level)
    if refusal := asyncio.run(_refusal(settings)):
        _log.error("not opened", cause=refusal)
        return 2
    app = create_app(settings)
    gc.freeze()  # what was made so far stays: no collection, and not the last one either, looks through it again
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http=PunctualProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies or None,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    server.run()
    return 0 if server.started else 1
