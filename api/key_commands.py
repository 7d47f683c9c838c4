"""`muster keys`: the keys under which personal data are sealed."""

import click

from api.operating import Progress, operate, refuse
from settings import Settings, master_keys

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """Look after the keys under which personal data are sealed."""


@keys.command()
def rotate() -> None:
    """Wrap all keys anew under the current master key.

    \b
    1. Put the present MUSTER_MASTER_KEY into MUSTER_PREVIOUS_MASTER_KEYS and a new one (muster secret) into
       MUSTER_MASTER_KEY, for the API and the workers, and start them again, all at once: a process that does not
       know the new key yet cannot read what one that does has written.
    2. Run muster keys rotate with the same two settings, and MUSTER_DATABASE_URL as the database's owner.
    3. Take MUSTER_PREVIOUS_MASTER_KEYS out again, and destroy the old key and its copies.

    No event is rewritten: only the keys that sealed them are. Everything goes on meanwhile. It may be interrupted and
    run again; it goes on with what is left.
    """
    operate("muster keys rotate", _rotate)


async def _rotate(settings: Settings) -> str:
    from cryptography.exceptions import InvalidTag

    from events.connections import connect
    from events.keys import local_keyring
    from events.rotation import keys_to_rotate, rotate_keys

    keyring = local_keyring(master_keys(settings))
    connection = await connect(settings.database_url, "muster keys")
    try:
        total = await keys_to_rotate(connection, keyring)
        progress, done = Progress("keys", total), 0
        async for count in rotate_keys(connection, keyring):
            done += count
            progress.at(done)
    except InvalidTag:
        refuse(
            "Some keys were wrapped under a master key that is not given here: name all earlier ones in "
            "MUSTER_PREVIOUS_MASTER_KEYS."
        )
    finally:
        await connection.close()
    return f"{done:,} keys are wrapped anew; all are under the current master key."
