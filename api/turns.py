"""Questions that cost much: few are worked on at once in a process, and none for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["few_at_once"]


@asynccontextmanager
async def few_at_once(turns: asyncio.Semaphore, longest: float) -> AsyncIterator[None]:
    """Have a turn while the context is open. No connection is held by who waits for one.

    Raises TimeoutError, which is answered with 503, when waiting and what is done then take longer than so many seconds.
    """
    async with asyncio.timeout(longest), turns:
        yield
