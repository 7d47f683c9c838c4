"""`muster claims`: who owns which address, and had which id elsewhere."""

import click

from api.operating import Progress, operate, refuse
from settings import Settings, key_bytes, master_keys

__all__ = ["claims"]


@click.group()
def claims() -> None:
    """Look after the claims on addresses, and on ids that people had elsewhere."""


@claims.command()
@click.option("--check", is_flag=True, help="Only tell what differs; exit with 1 when something does.")
def rebuild(*, check: bool) -> None:
    """Compute from the log who owns which address or id from elsewhere, and put that in place of what is there.

    Needed after a change of MUSTER_SECRET, which keys the claims; at any other time it should find nothing to change.
    Commands go on meanwhile, but for a moment at the end. Nothing is changed unless all of it is. It needs
    MUSTER_DATABASE_URL as the database's owner.
    """
    operate("muster claims rebuild", lambda settings: _rebuild(settings, check=check))


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
        refuse(f"Claims are not what the log says as of position {step.position:,}; a rebuild would have {told}.", 1)
    return f"Claims are what the log says as of position {step.position:,}."


@claims.command()
def lapse() -> None:
    """Free addresses now that workers free every ten minutes: of registrations that nobody proved, and former ones.

    A registration lapses when the newest link that could prove its address has expired (MUSTER_VERIFICATION_HOURS):
    its address can be registered again as if it had never been, its password is dropped, and the log says so. An
    address that a user left for another is released when the change cannot be undone any more
    (MUSTER_EMAIL_UNDO_HOURS). Safe to repeat. It needs no owner's rights.
    """
    operate("muster claims lapse", _lapse)


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
