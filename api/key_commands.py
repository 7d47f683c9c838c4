"""`muster keys`: the keys under which personal data are sealed, and those that sign access tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from api.arguments import json_option
from api.operating import Progress, as_json, operate, refuse
from settings import Settings, master_keys

if TYPE_CHECKING:
    from commands.signing_key_rotation import Rotated

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """Look after the keys under which personal data are sealed, and those that sign access tokens."""


@keys.command()
def rotate() -> None:
    """Wrap all keys anew under the current master key.

    \b
    1. Put the present MUSTER_MASTER_KEY into MUSTER_PREVIOUS_MASTER_KEYS and
       a new one (muster secret) into MUSTER_MASTER_KEY, for the API and the
       workers, and start them again, all at once: a process that does not
       know the new key yet cannot read what one that does has written.
    2. Run muster keys rotate with the same two settings, and
       MUSTER_DATABASE_URL as the database's owner.
    3. Take MUSTER_PREVIOUS_MASTER_KEYS out again, and destroy the old key
       and its copies.

    No event is rewritten: only the keys that sealed them are. Everything goes on meanwhile. It may be interrupted and
    run again; it goes on with what is left.
    """
    operate("muster keys rotate", _rotate)


async def _rotate(settings: Settings) -> str:
    from cryptography.exceptions import InvalidTag

    from events.keys import local_keyring
    from events.rotation import keys_to_rotate, rotate_keys

    keyring = local_keyring(master_keys(settings))
    try:
        async with _owner(settings) as connection:
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
    return f"{done:,} keys are wrapped anew; all are under the current master key."


@keys.command()
@click.option(
    "--now",
    is_flag=True,
    help="For a key that others may have: every earlier key stops verifying too, at once. Access tokens count no longer; "
    "sessions do, and go on with their refresh tokens.",
)
@click.option(
    "--announce",
    type=click.IntRange(0, 3600),
    default=0,
    metavar="SECONDS",
    help="Publish the new key this long before it signs, for those who verify tokens elsewhere with a copy of the key set "
    "that they do not fetch anew for a key that is not in it. Answers with the key set may be kept for 60 seconds.",
)
@json_option
def rotate_signing(*, now: bool, announce: int, json: bool) -> None:
    """Sign access tokens with a new key from now on.

    A new key is made and signs alone, in every API process that runs within a second. A process that meets a token by a
    key which it does not know yet looks it up before it answers, so no token is refused for being new.

    The key that signed until now never signs again: its private half is destroyed. It verifies for 15 more minutes,
    longer than any token lives that it has signed (MUSTER_ACCESS_TOKEN_SECONDS, 10 minutes at most). Nobody has to sign
    in anew. Meanwhile /.well-known/jwks.json tells both keys, and then the new one alone.

    Rotate as often as you like, for instance monthly; at once, and with --now, when the master key and a copy of the
    database may have come into other hands. It is safe to repeat and to run twice at once, which rotates once. One that
    was interrupted while it announced a key has changed nothing else, and the next one takes that key. It needs
    MUSTER_MASTER_KEY, and MUSTER_DATABASE_URL as the database's owner.
    """
    if now and announce:
        refuse("--now and --announce exclude each other: what is announced can wait.")

    async def work(settings: Settings) -> str:
        rotated = await _rotate_signing(settings, now=now, announce=announce)
        return as_json(rotated) if json else _told(rotated)

    operate("muster keys rotate-signing", work)


async def _rotate_signing(settings: Settings, *, now: bool, announce: int) -> "Rotated":
    from commands.signing_key_rotation import NotUnderMasterKey, announce_signing_key, rotate_signing_key
    from events.keys import local_keyring

    master = local_keyring(master_keys(settings))
    try:
        async with _owner(settings) as connection:
            asked_at = await connection.fetchval("SELECT clock_timestamp()")
            if not announce:
                return await rotate_signing_key(connection, master, asked_at=asked_at, revoke=now)
            key_id = await announce_signing_key(connection, master)
        click.echo(f"{key_id} is announced, and signs in {announce:,} seconds.", err=True)
        await asyncio.sleep(announce)
        async with _owner(settings) as connection:
            return await rotate_signing_key(connection, master, asked_at=asked_at)
    except NotUnderMasterKey:
        refuse(
            "The key that signs is wrapped under another master key than MUSTER_MASTER_KEY, so the API could not read a "
            "new one. Give the one that the API has; after a change of it, run muster keys rotate first."
        )


@asynccontextmanager
async def _owner(settings: Settings) -> AsyncIterator[Any]:
    from events.connections import connect

    connection = await connect(settings.database_url, "muster keys")
    try:
        yield connection
    finally:
        await connection.close()


def _told(rotated: "Rotated") -> str:
    lines = [f"{rotated.key_id} signs since {rotated.signs_from:%Y-%m-%d %H:%M:%S} UTC."]
    lines += [
        f"{key.key_id} signs no longer, and verifies until {key.verifies_until:%Y-%m-%d %H:%M:%S} UTC."
        for key in rotated.retired
    ]
    lines += [f"{key_id} neither signs nor verifies any more." for key_id in rotated.revoked]
    return "\n".join(lines)
