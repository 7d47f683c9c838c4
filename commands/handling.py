"""A command handler for work that comes and goes: at the console, and of robots."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from commands.handler import Handler
from commands.passwords import Hasher
from commands.unit import Rules
from events.committer import Committer
from events.connections import connect
from events.data_keys import DataKeys

__all__ = ["open_handler"]


@asynccontextmanager
async def open_handler(
    url: str, name: str, keys: DataKeys, rules: Rules, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[tuple[Handler, asyncpg.Connection]]:
    """A handler with the writer's rights, and the connection that it reads by, while the context is open.

    Both connections, the other being that of its committer, go by `name`. It handles one command at a time.
    """
    committer = Committer(lambda: connect(url, name))
    hasher = Hasher(threads=1)
    reading = await connect(url, name)
    try:
        await committer.start()
        yield Handler(reading, committer, keys, rules, hasher, clock), reading
    finally:
        await committer.stop()
        await reading.close()
        hasher.close()
