"""Programs that ask with an API key, for whom they act, and what they may."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

import structlog

from api.caller import Caller
from api.revocations import Revocations
from commands.access_tokens import LONGEST_SECONDS, InvalidAccessToken
from commands.api_keys import Presented, read_key
from commands.handler import Context, Handler
from commands.reads import Reads
from commands.use_api_key import Bearer, UseApiKey, bearer_of
from events.codec import SealBroken
from events.errors import StoreUnavailable
from events.event import Actor

__all__ = ["KeyBearers"]

MOST_REMEMBERED: Final = 20_000
_log = structlog.get_logger()


class KeyBearers:
    """Finds out who presents an API key. One that was looked up is remembered for as long as an access token would live.

    What cuts off older tokens of the key or its user has it looked up anew, so that it is never believed for longer than a
    token, and may never do what its user may not.
    """

    def __init__(self, reads: Reads, revocations: Revocations, handler: Handler) -> None:
        self._reads = reads
        self._revocations = revocations
        self._handler = handler
        self._remembered: dict[bytes, Caller] = {}

    async def caller(self, key: str, now: datetime) -> Caller:
        """For whom a key speaks. Raises `InvalidAccessToken` for whatever is not one living key of ours."""
        presented = read_key(key)
        if presented is None:
            raise InvalidAccessToken
        caller = self._remembered.get(presented.hash)
        if (
            caller is not None
            and now.timestamp() < caller.expires
            and not self._revocations.refuses(caller.session_id, caller.user_id, caller.position)
        ):
            return caller
        self._remembered.pop(presented.hash, None)
        position = self._revocations.position  # before what is read, which is as of then at least
        bearer = await self._bearer(presented, now)
        if bearer is None:
            raise InvalidAccessToken
        if not bearer.noted:
            await self._note(bearer)
        if len(self._remembered) >= MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        caller = Caller(
            bearer.user_id,
            bearer.key_id,
            bearer.permissions,
            position,
            int(_until(bearer, now).timestamp()),
            key_id=bearer.key_id,
        )
        self._remembered[presented.hash] = caller
        return caller

    async def _bearer(self, presented: Presented, now: datetime) -> Bearer | None:
        try:
            return await bearer_of(self._reads, presented, now)
        except SealBroken as error:
            _log.error("what is kept of an API key is broken", key=str(presented.key_id), exc_info=error)
            return None

    async def _note(self, bearer: Bearer) -> None:
        """That a key was used is noted if it can be; nobody is kept from reading because nothing can be recorded."""
        context = Context(Actor("api_key", bearer.key_id, user_id=bearer.user_id))
        try:
            await self._handler.handle(UseApiKey(bearer.key_id), context)
        except StoreUnavailable as error:
            _log.warning("the use of an API key could not be noted", key=str(bearer.key_id), exc_info=error)


def _until(bearer: Bearer, now: datetime) -> datetime:
    """Until when a key is remembered: no longer than a token, than it lives, or than its day, of which use is noted."""
    day = datetime.combine(now.date(), time(tzinfo=UTC)) + timedelta(days=1)
    return min(bearer.expires_at, day, now + timedelta(seconds=LONGEST_SECONDS))
