"""`muster projections rebuild`, `rollback`, `drop` and `verify`: other tables for views, and whether they are right."""

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click

from api.acting import Operator
from api.arguments import json_option, reason_option
from api.looking import reading
from api.meter import Meter
from api.operating import as_json, operate, refuse
from settings import Settings, key_bytes, master_keys

if TYPE_CHECKING:
    from projections.keeping import Store
    from projections.read_model import ReadModel
    from projections.rebuilds import Rebuild
    from projections.verifying import Difference, Verified

__all__ = ["COMMANDS", "in_words"]


def in_words(rebuild: "Rebuild") -> str:
    """How a rebuild is, for people."""
    what = f"{rebuild.name}: the rebuild as {rebuild.table or 'a new table'}"
    match rebuild.state:
        case "asked":
            return f"{what} is asked of the workers."
        case "done":
            return f"{what} was done at {rebuild.told_at:%Y-%m-%d %H:%M:%S} UTC."
        case "stopped":
            return f"{what} has stopped. {rebuild.cause}"
        case _:
            pass
    told = f"{what} is {rebuild.state}: {rebuild.done:,} of {rebuild.total:,} events"
    if rebuild.seconds_left is not None:
        told += f", {rebuild.rate:,.0f} a second, {rebuild.seconds_left:.0f} s left"
    return told + ("." if rebuild.alive else "; nobody works on it now.")


def _model(name: str) -> "ReadModel[Any]":
    from projections.models import BY_NAME

    if name not in BY_NAME:
        refuse(f"There is no view named {name}; there are {', '.join(BY_NAME)}.")
    return BY_NAME[name]


def _store(settings: Settings) -> "Store":
    from urllib.parse import urlsplit

    from events.migrations.roles import role_names, role_url
    from projections.keeping import Store

    database = urlsplit(settings.database_url).path.lstrip("/")
    url = role_url(settings.database_url, "projector", key_bytes(settings.secret))
    return Store(url, role_names(database)["reader"], master_keys(settings))


@click.command()
@click.argument("name")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    metavar="N",
    help="How many processes fold the log, each some of the users; one for each core of this machine by default.",
)
@reason_option
@json_option
def rebuild(name: str, processes: int, reason: str | None, *, json: bool) -> None:
    """Build the view NAME anew from the log, beside the table that serves, and let the new table serve.

    The new one is filled, indexed, projected until it has come up with the one that serves, and compared with the log
    in places; then it serves. Reads and writes go on, no reader goes back, and no mail is sent. The old table is kept
    and projected on, for muster projections rollback, until muster projections drop; one is kept at a time.

    Interrupted at any point it leaves the old table serving; run it again, and what is left of it is removed. It stops
    at an event that the view cannot take and tells which; that is then found with muster projections parked, and can be
    discarded. Progress is told on standard error. That it was asked for stands in the log.
    """

    async def work(settings: Settings) -> str:
        from projections.anew import Unfoldable
        from projections.builders import BuilderLost
        from projections.rebuilding import BuiltWrongly, Rebuilding
        from projections.rebuilds import RebuildUnderWay

        model, store, meter = _model(name), _store(settings), Meter()
        begun = time.monotonic()
        try:
            await _record(settings, model, reason)
            table = await Rebuilding(store, model, settings.partitions, told=meter.at).run(processes)
        except RebuildUnderWay:
            refuse("It is being built anew already; muster projections tells how far that is.")
        except (Unfoldable, BuiltWrongly, BuilderLost) as stopped:
            refuse(f"{stopped} What served still serves.", 1)
        finally:
            meter.end()
        seconds = time.monotonic() - begun
        if json:
            return as_json({"name": name, "table": table, "seconds": round(seconds, 3)})
        return f"{table} serves {name} now, built in {seconds:,.1f} s."

    operate("muster projections rebuild", work)


async def _record(settings: Settings, model: "ReadModel[Any]", reason: str | None) -> None:
    """That an operator has it built anew; where somebody does so already it is not. Raises `RebuildUnderWay`."""
    from api.handling import handler_of
    from commands.rebuild_read_model import RebuildReadModel
    from projections.rebuilds import hold, let_go

    async with (
        reading(settings, "projector") as connection,
        handler_of(settings, "muster operator") as (handler, writer),
    ):
        await hold(connection, model)
        operator = Operator(settings, handler, writer, reason)
        await operator.ask(RebuildReadModel(model.name, model.version, by_workers=False))
        await let_go(connection, model)


@click.command()
@click.argument("name")
@json_option
def rollback(name: str, *, json: bool) -> None:
    """Let the table serve the view NAME again that served it before the last rebuild.

    It was projected on, so it knows all that happened since; no reader goes back. The other one is kept in its place.
    """

    async def work(settings: Settings) -> str:
        from projections.rolling_back import roll_back
        from projections.serving import NothingKept

        try:
            table = await roll_back(_store(settings), _model(name))
        except NothingKept:
            refuse(f"No other table of {name} is kept.")
        return as_json({"name": name, "table": table}) if json else f"{table} serves {name} now."

    operate("muster projections rollback", work)


@click.command()
@click.argument("name")
@json_option
def drop(name: str, *, json: bool) -> None:
    """Drop the tables of the view NAME that are kept: the one that served before, and all of earlier versions of Muster.

    Earlier versions that still run cannot show the view any more. What serves this version stays.
    """

    async def work(settings: Settings) -> str:
        from projections.dropping import drop_kept

        async with reading(settings, "projector") as connection:
            dropped = await drop_kept(connection, _model(name))
        if json:
            return as_json({"name": name, "dropped": dropped})
        return f"Dropped {', '.join(dropped)}." if dropped else "There was nothing to drop."

    operate("muster projections drop", work)


@click.command()
@click.argument("name")
@click.option("--repair", is_flag=True, help="Put right what differs.")
@click.option("--show", is_flag=True, help="Show the values that differ, personal ones too.")
@json_option
def verify(name: str, *, repair: bool, show: bool, json: bool) -> None:
    """Fold the log and compare it, row by row, with what serves the view NAME.

    Everything goes on meanwhile: it is compared as of one moment. What differs is told with its key and its columns,
    and with its values only if --show is given: they are personal. Rows of users of whom something is parked are
    compared as of before that, and these users are told. --json prints a document for each difference and one at the end.

    Exit codes: 0 all is equal, or was put right; 1 something differs; 2 it was refused, or asked wrongly.
    """

    async def work(settings: Settings) -> None:
        from events.keys import local_keyring
        from projections.moments import NotComparable
        from projections.serving import serving_table
        from projections.verifying import Verifier

        model, meter = _model(name), Meter()
        master = local_keyring(master_keys(settings))

        def found(difference: "Difference") -> None:
            meter.end()
            click.echo(_told(difference, show=show, json=json))

        async with reading(settings, "projector") as connection, reading(settings, "projector") as repairing:
            table = await serving_table(connection, model)
            if table is None:
                refuse(f"Nothing serves {name} yet.")
            verifier = Verifier(model.on(table), master, found=found, progress=meter.keys)
            try:
                verified = await verifier.verify(connection, repairing=repairing if repair else None)
            except NotComparable as reason:
                refuse(str(reason), 1)
            finally:
                meter.end()
        click.echo(as_json(_summary(verified)) if json else _in_words(verified))
        if not verified.equal:
            sys.exit(1)

    operate("muster projections verify", work)


def _told(difference: "Difference", *, show: bool, json: bool) -> str:
    from msgspec.structs import replace

    from api.tables import cell

    if not show:
        difference = replace(difference, stored=None, expected=None)
    if json:
        return as_json(difference)
    others = {name: value for name, value in difference.identity.items() if value != difference.key}
    row = "".join(f" {name} {cell(value)}" for name, value in others.items())
    line = f"{difference.key}{row}: {difference.kind}"
    if difference.cause:
        return f"{line}, {difference.cause}"
    values = [
        f"{name}: {cell((difference.stored or {}).get(name))} instead of {cell((difference.expected or {}).get(name))}"
        for name in difference.columns
    ]
    if difference.columns:
        return f"{line} in {'; '.join(values) if show else ', '.join(difference.columns)}"
    return f"{line}: {cell(difference.stored or difference.expected)}" if show else line


def _summary(verified: "Verified") -> dict[str, Any]:
    import msgspec

    return {**msgspec.structs.asdict(verified), "equal": verified.equal}


def _in_words(verified: "Verified") -> str:
    lines = [
        f"{key}: not compared after position {position - 1}, where an event is parked."
        for key, position in verified.parked.items()
    ]
    told = f"{verified.table} as of position {verified.position}: {verified.keys:,} keys and {verified.rows:,} rows compared, "
    if not verified.differences:
        told += "all equal."
    else:
        told += f"{verified.differences:,} rows of {verified.differing_keys:,} keys differ"
        told += f", {verified.repaired_keys:,} keys were put right." if verified.repaired_keys else "."
    return "\n".join([*lines, told])


COMMANDS: Final = (rebuild, rollback, drop, verify)
