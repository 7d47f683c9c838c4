"""`muster users`: the API keys of an account. Nobody is issued one here: who has it must have seen it alone."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from api.acting import Done, Operator, asks
from api.arguments import json_option, user_argument
from api.looking import reading, user_of
from api.operating import as_json, operate
from api.tables import Table
from settings import Settings, master_keys

if TYPE_CHECKING:
    from commands.api_keys_of_user import KnownApiKey

__all__ = ["KEYS"]


@click.command("api-keys")
@user_argument
@json_option
def api_keys(user: str, *, json: bool) -> None:
    """List the API keys of USER, the newest first: what each may do, and on which day it was used last.

    The keys themselves are kept nowhere. Of those that have expired or were revoked, the newest are told of.
    """

    async def work(settings: Settings) -> None:
        from commands.api_keys_of_user import api_keys_of_user
        from events.data_keys import DataKeys
        from events.keys import local_keyring

        keys = DataKeys(local_keyring(master_keys(settings)))
        user_id = await user_of(settings, user)
        async with reading(settings, "writer") as connection:  # nobody else may read what is kept of keys
            _, found = await api_keys_of_user(connection, keys, user_id, datetime.now(UTC))
        table = Table("ID", "PREFIX", "NAME", "SCOPES", "STATUS", "ISSUED (UTC)", "EXPIRES (UTC)", "USED LAST")
        for line in map(as_json, found) if json else table.lines(map(_row, found)):
            click.echo(line)

    operate("muster users api-keys", work)


def _row(key: "KnownApiKey") -> list[Any]:
    used = None if key.last_used_on is None else key.last_used_on.isoformat()
    return [key.id, key.prefix, key.name, key.scopes, key.status, key.created_at, key.expires_at, used]


@click.command()
@user_argument
@click.argument("key", type=click.UUID)
@asks
async def revoke_api_key(operator: Operator, user: str, key: UUID) -> Done:
    """Let an API KEY of USER, by its id, open nothing any more.

    It takes effect within a second. Safe to repeat.
    """
    from commands.revoke_api_key import RevokeApiKey

    user_id = await operator.user(user)
    return await operator.ask(RevokeApiKey(user_id, key), user_id)


KEYS: Final = (api_keys, revoke_api_key)
