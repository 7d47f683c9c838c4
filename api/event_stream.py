"""The log as it happens: server-sent events (HTML Living Standard, section 9.2), whose ids tell where to go on from."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Final

import msgspec
from litestar import Controller, get
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import ServerSentEventMessage, Stream

from api.asking import runtime_of
from api.auth import may
from api.bodies import JsonRequest
from api.conditions import GREATEST
from api.declared import PARAMETERS, TOKEN, declared
from api.history import Types, check_types
from api.reasons import FieldError, InvalidParameters, LogRestored, NotPermitted, RevocationsBehind, TooManyStreams
from api.runtime import Runtime
from commands.access_tokens import InvalidAccessToken
from events.connections import is_unavailable
from events.data_keys import DataKeys
from events.errors import StoreUnavailable
from events.store import head
from queries.history import MOST_EVENTS, EventPage, EventView, history

__all__ = ["ON_END", "EventStream"]

ON_END: Final = "muster.on_end"
"""In the state of a request, what is to be called when the process has to end; where the server that is asked is ours."""

PERMISSION: Final = "audit:read"
EVENT_STREAM: Final = "text/event-stream"
GATHER_SECONDS: Final = 0.05
"""What happens within this time of what was told last is told together."""
LOOK_SECONDS: Final = 0.5
"""How often it is asked whether whoever follows still may; revocations are heard of without asking the store."""
QUIET_SECONDS: Final = 15.0
RECONNECT_MILLISECONDS: Final = 2_000

_ID: Final = re.compile("(?:([0-9]{1,10})-)?([0-9]{1,19})", re.ASCII)
"""The epoch and the position; a position alone is one of the first epoch."""
_encode: Final = msgspec.json.Encoder().encode

After = Annotated[
    int | None,
    QueryParameter(
        name="after",
        ge=0,
        le=GREATEST,
        schema_extra={"minimum": 0},  # which the framework leaves out, because it is none
        description="The position to begin after, 0 for the log's beginning. If neither this nor `Last-Event-ID` is given, only "
        "what happens from now on is told.",
    ),
]
Follow = Annotated[
    bool, QueryParameter(name="follow", description="`false` ends the stream at the log's end as it was just now.")
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        schema_extra={"pattern": "^([0-9]{1,10}-)?[0-9]{1,19}$"},
        description="The id that was told last, to go on after it, whatever `after` says; browsers send it by themselves.",
    ),
]


class EventStream(Controller):
    """The log, pushed."""

    path = "/v1/events/stream"
    tags = ("History",)

    @get(
        operation_id="event_stream",
        summary="What happens",
        media_type=EVENT_STREAM,
        response_description="Server-sent events: `id` is where it stands, `event` the type, and `data` the event as "
        "`GET /v1/events` tells it.",
        guards=[may(PERMISSION)],
        security=[{"token": []}],
        responses=declared(TOKEN, PARAMETERS, NotPermitted, LogRestored, StoreUnavailable, TooManyStreams),
    )
    async def events(
        self,
        request: JsonRequest,
        types: Types = None,
        after: After = None,
        follow: Follow = True,
        last_event_id: LastEventId = None,
    ) -> Stream:
        """The log in the order in which it happened, each event once, and then each as it happens, for as long as the caller may.

        An id without an event, every quarter of a minute in which there is nothing else to tell, moves on where to go on
        from. The stream ends when the access token or API key does, because it expires or is cut off, and when the process
        ends: ask again, with the id that was told last.
        """
        check_types(types)
        process = runtime_of(request)
        if process.streams >= process.settings.event_streams:
            raise TooManyStreams
        begins = _place(process, last_event_id)
        if begins is None:
            begins = await head(process.reader) if after is None else after
        following = _Following(process, types, begins, lambda: _still_may(request, process), follow=follow)
        request.scope.setdefault("state", {})[ON_END] = following.end
        # Proxies would gather events until there are enough of them.
        headers = {"Event-Position": str(begins), "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Stream(following.told(), media_type=EVENT_STREAM, headers=headers)


def _place(process: Runtime, last_event_id: str | None) -> int | None:
    """The position that an id tells of. Raises `InvalidParameters` for what is none, `LogRestored` for that of another epoch."""
    if last_event_id is None:
        return None
    found = _ID.fullmatch(last_event_id)
    if found is None:
        detail = "This is no id of this stream, as `1-4711`. Begin without it, or after a position (`after`)."
        raise InvalidParameters(errors=[FieldError(parameter="Last-Event-ID", detail=detail)])
    if int(found[1] or 1) != process.epoch.number:
        raise LogRestored
    return min(int(found[2]), GREATEST)


async def _still_may(request: JsonRequest, process: Runtime) -> bool:
    """Whether the token or key with which it was asked still does. Raises `RevocationsBehind` when that cannot be told."""
    try:
        caller = await process.gate.caller(request.header(b"authorization"))
    except InvalidAccessToken:
        return False
    return caller is not None and caller.may(PERMISSION)


class _Following:
    """One who follows the log: nothing is remembered for them but where they are.

    The store is asked when something has happened, and for what had happened before; never in between.
    """

    def __init__(
        self,
        process: Runtime,
        types: list[str] | None,
        after: int,
        still_may: Callable[[], Awaitable[bool]],
        *,
        follow: bool,
    ) -> None:
        self._process = process
        self._types = types
        self._after = after
        self._still_may = still_may
        self._follow = follow
        self._woken = asyncio.Event()
        self._more = True
        self._ended = False

    def end(self) -> None:
        """Tell nothing more."""
        self._ended = True
        self._woken.set()

    async def told(self) -> AsyncIterator[bytes]:
        """What is sent, in pieces of whole events."""
        self._process.streams += 1
        try:
            with self._process.wakeups.woken() as self._woken:
                yield ServerSentEventMessage(data=None, retry=RECONNECT_MILLISECONDS).encode()
                async for piece in self._pieces():
                    yield piece
        finally:
            self._process.streams -= 1

    async def _pieces(self) -> AsyncIterator[bytes]:
        told = time.monotonic()
        while (allowed := await self._allowed()) is not False:
            page = await self._page() if allowed and (self._more or self._woken.is_set()) else None
            if page is not None and page.items:
                yield b"".join(map(self._message, page.items))
                told = time.monotonic()
            elif time.monotonic() - told >= QUIET_SECONDS:
                yield ServerSentEventMessage(id=self._id(self._after), data=None).encode()
                told = time.monotonic()
            if page is not None and self._more:
                continue
            if page is not None and not self._follow:
                return
            await self._something()

    async def _allowed(self) -> bool | None:
        """Whether to go on; None while that cannot be told: then they may stay, and are told nothing."""
        if self._ended:
            return False
        try:
            return await self._still_may()
        except RevocationsBehind:
            return None

    async def _page(self) -> EventPage | None:
        """What comes next; None while the store is away."""
        process = self._process
        self._woken.clear()
        try:
            # Keys of its own, for one page: whoever kept them for longer would have to hear of each erasure.
            keys = DataKeys(process.keys.master)
            page = await history(process.reader, keys, after=self._after, limit=MOST_EVENTS, types=self._types)
        except Exception as error:
            if not is_unavailable(error):
                raise
            self._more = True
            return None
        self._more = page.next is not None
        self._after = max(self._after, page.next or page.position)
        return page

    async def _something(self) -> None:
        """Come back when something has happened, and now and then all the same."""
        await asyncio.sleep(GATHER_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()

    def _message(self, event: EventView) -> bytes:
        return ServerSentEventMessage(id=self._id(event.position), event=event.type, data=_encode(event)).encode()

    def _id(self, position: int) -> str:
        return f"{self._process.epoch.number}-{position}"
