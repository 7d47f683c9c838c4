"""Which access tokens no longer count, followed in memory along the log.

A token says at which position of the log it was true. What ends or changes its session or its subject later is a
cut-off: a position before which tokens of that session or subject are refused. So no request reads the database for
it. Whoever cannot follow the log cannot tell, and says so.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from msgspec import Struct

from commands.access_tokens import LONGEST_SECONDS
from commands.handler import Outcome
from events.api_key import ApiKeyRevoked
from events.connections import TROUBLE, Reading
from events.session import RefreshTokenReused, SessionEnded, SessionExpired
from events.tail import Wakeups
from events.user import (
    EmailChangeUndone,
    PasskeyAdded,
    PasswordChanged,
    PasswordReset,
    RegistrationLapsed,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    SignedOutEverywhere,
    TotpConfirmed,
    UserErased,
    UserSuspended,
)

__all__ = ["CUTS_OFF", "Revocations"]

CUTS_OFF: Final = frozenset(
    (
        SessionEnded,
        SessionExpired,
        RefreshTokenReused,
        RoleGranted,
        RoleRevoked,
        RegistrationSuperseded,
        RegistrationLapsed,
        SignedOutEverywhere,
        PasswordChanged,
        PasswordReset,
        EmailChangeUndone,
        UserSuspended,
        UserErased,
        TotpConfirmed,
        PasskeyAdded,
        ApiKeyRevoked,
    )
)
"""The events from which on older tokens of their stream, a session's or a user's, are refused, and API keys looked up anew."""

TOO_OLD_SECONDS: Final = 5.0
LOOKS_EVERY_SECONDS: Final = 1.0
LOOKS_AT_MOST_EVERY_SECONDS: Final = 0.02
KEPT_SECONDS: Final = LONGEST_SECONDS + 60

_log = structlog.get_logger()
_TOPICS: Final = sorted(event.__name__ for event in CUTS_OFF)
# One statement is one snapshot: everything up to the head that it tells was seen.
_LOOK: Final = (
    "SELECT notification_id, originator_id FROM stored_events WHERE notification_id > $1 AND topic = ANY($2) "
    "UNION ALL SELECT coalesce(max(notification_id), 0), NULL FROM stored_events"
)


class _CutOff(Struct, frozen=True):
    expires: float
    stream_id: UUID
    position: int


class Revocations:
    """The cut-offs of one token lifetime, of which none that was recorded more than a second ago is missing."""

    def __init__(self, pool: Reading, wakeups: Wakeups) -> None:
        self.position = 0
        self._pool = pool
        self._wakeups = wakeups
        self._cut_offs: dict[UUID, int] = {}
        self._expiring: deque[_CutOff] = deque()
        self._true_at = -TOO_OLD_SECONDS
        self._looking = asyncio.Lock()
        self._next: asyncio.Task[int] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def behind_seconds(self) -> float:
        """For how long this process has not known what the log says."""
        return time.monotonic() - self._true_at

    @property
    def trustworthy(self) -> bool:
        """Whether a token can be told from a revoked one."""
        return time.monotonic() - self._true_at < TOO_OLD_SECONDS

    def refuses(self, session_id: UUID, user_id: UUID, position: int) -> bool:
        """Whether a token of this session and user that was true at `position` counts no longer."""
        cut_offs = self._cut_offs
        return position < cut_offs.get(session_id, 0) or position < cut_offs.get(user_id, 0)

    async def start(self) -> None:
        """Load one token lifetime, then follow. Raises OSError or asyncpg's errors when the log cannot be read."""
        self.position = await _position_before(self._pool, timedelta(seconds=KEPT_SECONDS))
        await self.catch_up()
        self._task = asyncio.create_task(self._follow(), name="revocations")

    async def stop(self) -> None:
        """Follow no longer."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def apply(self, outcome: Outcome[Any]) -> None:
        """What this process has just recorded counts before it is answered."""
        position = outcome.first_position
        for written in outcome.written:
            for event in written.events:
                if type(event) in CUTS_OFF:
                    self._cut_off(written.stream_id, position)
                position += 1

    async def catch_up(self) -> int:
        """Know everything that was recorded before this was called; up to which position. Raises what the pool raises.

        Those who ask while one look is under way share the next.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._look())
            self._next.add_done_callback(lambda look: look.cancelled() or look.exception())
        return await asyncio.shield(self._next)

    async def _look(self) -> int:
        async with self._looking:
            self._next = None
            asked = time.monotonic()
            async with asyncio.timeout(TOO_OLD_SECONDS):
                rows = await self._pool.fetch(_LOOK, self.position, _TOPICS)
            for position, stream_id in rows:
                if stream_id is not None:
                    self._cut_off(stream_id, position)
            self.position = max(self.position, *(position for position, _ in rows))
            self._true_at = asked
            self._forget(asked)
            return self.position

    def _cut_off(self, stream_id: UUID, position: int) -> None:
        if position > self._cut_offs.get(stream_id, 0):
            self._cut_offs[stream_id] = position
            self._expiring.append(_CutOff(time.monotonic() + KEPT_SECONDS, stream_id, position))

    def _forget(self, now: float) -> None:
        """Cut-offs from before every living token."""
        while self._expiring and self._expiring[0].expires < now:
            old = self._expiring.popleft()
            if self._cut_offs.get(old.stream_id) == old.position:
                del self._cut_offs[old.stream_id]

    async def _follow(self) -> None:
        with self._wakeups.woken() as woken:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOKS_EVERY_SECONDS):
                        await woken.wait()
                woken.clear()
                try:
                    await self.catch_up()
                except TROUBLE as error:
                    if self.trustworthy:
                        _log.warning("revocations cannot be followed", exc_info=error)
                await asyncio.sleep(LOOKS_AT_MOST_EVERY_SECONDS)


async def _position_before(pool: Reading, lifetime: timedelta) -> int:
    """The last position older than this, by the clock that the log is written with.

    Times never run backwards along the log, so the place is found by halving.
    """
    moment = await pool.fetchval("SELECT clock_timestamp() - $1::interval", lifetime)
    low, high = 0, await pool.fetchval("SELECT coalesce(max(notification_id), 0) FROM stored_events")
    while low < high:
        middle = (low + high + 1) // 2
        at = await pool.fetchval("SELECT recorded_at FROM stored_events WHERE notification_id = $1", middle)
        if at < moment:
            low = middle
        else:
            high = middle - 1
    return low
