"""A command handler for work at the console, without the rest of a process."""

from contextlib import AbstractAsyncContextManager

from commands.handler import Handler
from commands.handling import open_handler
from commands.rules import rules
from events.connections import Reading
from events.data_keys import DataKeys
from events.keys import local_keyring
from events.migrations.roles import role_url
from settings import Settings, key_bytes, master_keys

__all__ = ["handler_of"]


def handler_of(
    settings: Settings, name: str, connections: int = 1
) -> AbstractAsyncContextManager[tuple[Handler, Reading]]:
    """A handler on the writer role, and what it reads by, while the context is open."""
    secret = key_bytes(settings.secret)
    keys = DataKeys(local_keyring(master_keys(settings)))
    url = role_url(settings.database_url, "writer", secret)
    return open_handler(url, name, keys, rules(secret, settings), connections=connections)
