"""Commands of the operator at the console, on keys and claims: long work, with its progress and an estimate."""

import asyncio
import sys
import time
from collections.abc import Coroutine
from typing import Any, Final, NoReturn

import click

from settings import Settings, SettingsRefused, key_bytes, load, master_keys

__all__ = ["claims", "keys"]

TELLS_EVERY_SECONDS: Final = 1.0


class Progress:
    """Tells on standard error how far long work is, how fast it goes and when it will be done."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._begun = self._told = time.monotonic()

    def at(self, done: int) -> None:
        """So much is done; told once a second at most, and at the end."""
        now = time.monotonic()
        if now - self._told < TELLS_EVERY_SECONDS and done < self._total:
            return
        self._told = now
        rate = done / (now - self._begun) if now > self._begun else 0.0
        left = f", {(self._total - done) / rate:.0f} s left" if rate and done < self._total else ""
        click.echo(f"{done:,} of {self._total:,} {self._what}, {rate:,.0f} a second{left}", err=True)


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
    _run("muster keys rotate", _rotate)


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
        _fail(
            "Some keys were wrapped under a master key that is not given here: name all earlier ones in "
            "MUSTER_PREVIOUS_MASTER_KEYS."
        )
    finally:
        await connection.close()
    return f"{done:,} keys are wrapped anew; all are under the current master key."


@click.group()
def claims() -> None:
    """Look after the claims on addresses."""


@claims.command()
@click.option("--check", is_flag=True, help="Only tell what differs; exit with 1 when something does.")
def rebuild(*, check: bool) -> None:
    """Compute from the log who owns which address, and put that in place of what is there.

    Needed after a change of MUSTER_SECRET, which keys the claims; at any other time it should find nothing to change.
    Commands go on meanwhile, but for a moment at the end. Nothing is changed unless all of it is. It needs
    MUSTER_DATABASE_URL as the database's owner.
    """
    _run("muster claims rebuild", lambda settings: _rebuild(settings, check=check))


async def _rebuild(settings: Settings, *, check: bool) -> str:
    from commands.claims import Rebuilt, rebuild_claims
    from events.connections import connect
    from events.data_keys import DataKeys
    from events.keys import derived, local_keyring

    connection = await connect(settings.database_url, "muster claims")
    step = Rebuilt(0, 0)
    progress = None
    try:
        data_keys = DataKeys(local_keyring(master_keys(settings)))
        claims_key = derived(key_bytes(settings.secret), "claims")
        async for step in rebuild_claims(connection, data_keys, claims_key, repair=not check):
            progress = progress or Progress("events", step.head)
            progress.at(step.position)
    finally:
        await connection.close()
    told = f"{step.added:,} added, {step.removed:,} removed, {step.changed:,} changed"
    if not check:
        return f"Claims are what the log says as of position {step.position:,}: {told}."
    if step.added or step.removed or step.changed:
        _fail(f"Claims are not what the log says as of position {step.position:,}; a rebuild would have {told}.", 1)
    return f"Claims are what the log says as of position {step.position:,}."


@claims.command()
def lapse() -> None:
    """Free addresses now that workers free every ten minutes: of registrations that nobody proved, and former ones.

    A registration lapses when the newest link that could prove its address has expired (MUSTER_VERIFICATION_HOURS):
    its address can be registered again as if it had never been, its password is dropped, and the log says so. An
    address that a user left for another is released when the change cannot be undone any more
    (MUSTER_EMAIL_UNDO_HOURS). Safe to repeat. It needs no owner's rights.
    """
    _run("muster claims lapse", _lapse)


async def _lapse(settings: Settings) -> str:
    from datetime import UTC, datetime

    from api.handling import handler_of
    from commands.handler import Context
    from commands.lapse_registration import LapseRegistration, lapsing, lapsing_before, lapsing_count
    from commands.release_former_address import ReleaseFormerAddress
    from commands.rules import rules
    from events.event import Actor

    operator = Context(Actor("operator"))
    before = lapsing_before(rules(key_bytes(settings.secret), settings), datetime.now(UTC))
    lapsed = released = looked_at = 0
    async with handler_of(settings, "muster claims") as (handler, reading):
        progress = Progress("addresses", await lapsing_count(reading, before))
        async for user_id in lapsing(reading, before):
            lapsed += (await handler.handle(LapseRegistration(user_id), operator)).result
            released += (await handler.handle(ReleaseFormerAddress(user_id), operator)).result
            looked_at += 1
            progress.at(looked_at)
    return f"{lapsed:,} registrations have lapsed; former addresses of {released:,} users are free."


def _run(name: str, work: Any) -> None:
    """Do it with the settings of the environment, and say plainly what went wrong."""
    import asyncpg

    try:
        settings = load()
    except SettingsRefused as refusal:
        _fail(str(refusal))
    running: Coroutine[Any, Any, str] = work(settings)
    try:
        click.echo(asyncio.run(running))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _fail(f"{name}: the database does not take it: {error or type(error).__name__}", 1)


def _fail(reason: str, code: int = 2) -> NoReturn:
    click.echo(reason, err=True)
    sys.exit(code)
