"""`muster migrate`: the durable tables, the key that signs access tokens, and the first administrator's invitation."""

from api.handling import handler_of
from commands.first_administrator import InviteFirstAdministrator
from commands.handler import Context
from commands.signing_key_rotation import ensure_signing_key
from events.connections import connect
from events.event import Actor
from events.keys import local_keyring
from events.migrations.upgrade import migrate
from settings import Settings, key_bytes, master_keys

__all__ = ["migrated", "sign_up_link"]

OPERATOR = Actor("operator")


async def migrated(settings: Settings) -> str | None:
    """Bring everything up to date; the token with which the first administrator signs up, None when there is one.

    Safe to repeat and to run twice at once. Raises OSError or asyncpg's errors when the database is not there or does
    not let its owner do this.
    """
    secret, master = key_bytes(settings.secret), local_keyring(master_keys(settings))
    await migrate(settings.database_url, secret)
    owner = await connect(settings.database_url, "muster migrate")
    try:
        await ensure_signing_key(owner, master)
    finally:
        await owner.close()
    async with handler_of(settings, "muster migrate") as (handler, _reading):
        return (await handler.handle(InviteFirstAdministrator(), Context(OPERATOR))).result


def sign_up_link(base_url: str, token: str) -> str:
    """Where the first administrator signs up. The token stands in the fragment, which no server and no log ever sees."""
    return f"{base_url.rstrip('/')}/sign-up#token={token}"
