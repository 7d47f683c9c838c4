"""Which keys sign and verify access tokens, learnt by every process as they change.

A change is announced, so that a key that was retired stops signing and one that was revoked stops verifying within
milliseconds; whatever was not heard is found by looking every second. Who meets a token by a key that is not known looks
before it is refused: a token can never be signed by a key that its verifier could not learn in time.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from commands.access_tokens import AccessTokens
from commands.signing_keys import read_signing_keys
from events.connections import TROUBLE, Reading
from events.keys import MasterKey
from events.tail import Wakeups

__all__ = ["Signing"]

LOOKS_EVERY_SECONDS: Final = 1.0
LOOKS_AT_MOST_EVERY_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 5.0

_log = structlog.get_logger()


class Signing:
    """Keeps the keys of `tokens` those that the database tells; `lost` is called when one of them verifies no longer."""

    def __init__(
        self,
        pool: Reading,
        master: MasterKey,
        tokens: AccessTokens,
        wakeups: Wakeups,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.clock = clock
        self.lost: Callable[[], None] = lambda: None
        self._pool = pool
        self._master = master
        self._tokens = tokens
        self._wakeups = wakeups
        self._looked_at = -LOOKS_AT_MOST_EVERY_SECONDS
        self._looking = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Know the keys, then follow. Raises OSError or asyncpg's errors when they cannot be read."""
        await self.learn()
        self._task = asyncio.create_task(self._follow(), name="signing keys")

    async def stop(self) -> None:
        """Follow no longer."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def learn(self) -> None:
        """Know every key that there was when this was called. Raises what the pool raises.

        Those who ask meanwhile share one look, and there are at most ten a second: strangers who make up keys do not
        keep the database busy.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._look())
            self._next.add_done_callback(lambda look: look.cancelled() or look.exception())
        await asyncio.shield(self._next)

    async def _look(self) -> None:
        async with self._looking:
            await asyncio.sleep(self._looked_at + LOOKS_AT_MOST_EVERY_SECONDS - time.monotonic())
            self._next = None
            self._looked_at = time.monotonic()
            async with asyncio.timeout(PATIENCE_SECONDS):
                keys = await read_signing_keys(self._pool, self._master, self.clock())
            before = {key.key_id for key in self._tokens.keys}
            self._tokens.use(keys)
            if before - {key.key_id for key in keys}:
                self.lost()

    async def _follow(self) -> None:
        failing = False
        with self._wakeups.woken() as woken:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOKS_EVERY_SECONDS):
                        await woken.wait()
                woken.clear()
                try:
                    await self.learn()
                except TROUBLE as error:
                    if not failing:
                        _log.warning("signing keys cannot be read", exc_info=error)
                    failing = True
                else:
                    failing = False
