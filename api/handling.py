"""A command handler for work at the console, without the rest of a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api.rules import rules
from commands.handler import Handler
from commands.passwords import Hasher
from events.committer import Committer
from events.connections import connect
from events.data_keys import DataKeys
from events.keys import local_keyring
from events.migrations.roles import role_url
from settings import Settings, key_bytes, master_keys

__all__ = ["handler_of"]


@asynccontextmanager
async def handler_of(settings: Settings, name: str) -> AsyncIterator[tuple[Handler, Any]]:
    """A handler on the writer role, and the connection that it reads by, while the context is open."""
    url = role_url(settings.database_url, "writer", key_bytes(settings.secret))
    keys = DataKeys(local_keyring(master_keys(settings)))
    committer = Committer(lambda: connect(url, name))
    hasher = Hasher(threads=1)
    reading = await connect(url, name)
    try:
        await committer.start()
        yield Handler(reading, committer, keys, rules(settings), hasher), reading
    finally:
        await committer.stop()
        await reading.close()
        hasher.close()
