"""What is done again and again until a process is asked to stop pauses in between, and stops without waiting."""

import asyncio
import contextlib

__all__ = ["pause"]


async def pause(seconds: float, finished: asyncio.Event) -> None:
    """Come back after so many seconds, or as soon as it is finished."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await finished.wait()
