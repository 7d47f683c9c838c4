"""`muster keys`: the keys under which personal data are sealed, and those that sign access tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
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


@keys.command()
@click.argument("backup", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--forget-missing",
    is_flag=True,
    help="Go on although there are people whose keys are lost: nothing personal of them can be read, and they count as erased.",
)
@json_option
def reconcile(backup: Path | None, *, forget_missing: bool, json: bool) -> None:
    """Make a log that was restored fit to be opened: bring the keys back, and erase again whoever was erased since.

    BACKUP is the newest file of keys that muster backup has made, newer than the backup of the log: it knows who was
    erased after that. Without BACKUP, the keys that are there count, as after PostgreSQL's own recovery to a point in time.

    People whose key is destroyed get UserErased recorded, if the restored log does not have it; what is left of them beside
    the log goes. Then another epoch begins: access tokens, cursors and waiting positions of before are void, and say so.
    Neither the API nor a worker opens on a restored log before. Run muster migrate first, and nothing else meanwhile.

    It is safe to repeat; each time another epoch begins. It needs MUSTER_MASTER_KEY, and MUSTER_DATABASE_URL as the
    database's owner.
    """

    async def work(settings: Settings) -> str:
        return await _reconcile(settings, backup, forget_missing=forget_missing, json=json)

    operate("muster keys reconcile", work)


async def _reconcile(settings: Settings, backup: Path | None, *, forget_missing: bool, json: bool) -> str:
    from api.handling import handler_of
    from commands.reconciliation import missing_keys, reconcile, restore_keys
    from events.key_backups import KeyBackupBroken, keys_of

    epoch = 0
    async with _owner(settings) as connection, handler_of(settings, "muster keys") as (handler, _log):
        if backup is not None:
            try:
                with backup.open("rb") as file:
                    header, kept = keys_of(file)
                    epoch = header.epoch
                    restored = await restore_keys(connection, kept)
            except KeyBackupBroken as broken:
                refuse(f"muster keys reconcile: {backup}: {broken} Nothing was changed.")
            click.echo(f"{restored:,} keys as of {header.made_at:%Y-%m-%d %H:%M:%S} UTC.", err=True)
        missing = await missing_keys(connection)
        if missing and not forget_missing:
            refuse(
                f"muster keys reconcile: of {len(missing):,} people in the log the keys are missing, as of {missing[0]}. Give "
                "a backup of the keys that is newer than that of the log; if there is none, --forget-missing goes on "
                "without them."
            )
        done = await reconcile(connection, handler, epoch, missing)
    if json:
        return as_json(done)
    lines = [
        f"Epoch {done.epoch.number} begins after position {done.epoch.position:,}; {len(done.erased):,} people were erased again."
    ]
    lines += [
        f"{user_id} was erased, and is the last administrator in this log: name another one, and run this again."
        for user_id in done.refused
    ]
    return "\n".join(lines)


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
