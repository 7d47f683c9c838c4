"""A command handler for work that comes and goes: at the console, and of robots."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from commands.handler import Handler
from commands.passwords import Hasher
from commands.unit import Rules
from events.committer import Committer
from events.connections import BY_KEYS, Reading, connect, open_pool
from events.data_keys import DataKeys

__all__ = ["open_handler"]


@asynccontextmanager
async def open_handler(
    url: str,
    name: str,
    keys: DataKeys,
    rules: Rules,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    connections: int = 1,
) -> AsyncIterator[tuple[Handler, Reading]]:
    """A handler with the writer's rights, and what it reads by, while the context is open.

    All connections, one more being that of its committer, go by `name`. With a single one to read by it handles one command
    at a time.
    """
    committer = Committer(lambda: connect(url, name, **BY_KEYS))
    hasher = Hasher(threads=1)
    reading = await (
        connect(url, name, **BY_KEYS) if connections == 1 else open_pool(url, name, connections, **BY_KEYS)
    )
    try:
        await committer.start()
        yield Handler(reading, committer, keys, rules, hasher, clock), reading
    finally:
        await committer.stop()
        await reading.close()
        hasher.close()
