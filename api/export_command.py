"""`muster export`: a view or the log as a file, for other programs."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from api.looking import caught_up, reading, tell_left_out
from api.operating import Progress, operate, refuse
from settings import Settings, master_keys

if TYPE_CHECKING:
    from api.export_formats import Format, Sink
    from queries.exports import Export

__all__ = ["export"]

STANDARD_OUTPUT: Final = "-"
PATIENCE_SECONDS: Final = 30.0
NAME: Final = "muster export"
SPREADSHEET: Final = "csv for spreadsheets"


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--format",
    "form",
    type=click.Choice(("parquet", "csv", "ndjson")),
    required=True,
    help="parquet needs the package pyarrow, the extra `parquet`.",
)
@click.option("--output", default=STANDARD_OUTPUT, metavar="FILE|-", help="Where to; standard output if not given.")
@click.option(
    "--to",
    type=click.IntRange(min=0),
    metavar="POSITION",
    help="The log up to this position; a view once it reflects it, for which it is waited half a minute.",
)
@click.option("--personal", is_flag=True, help="With what is personal: addresses, names, profiles, metadata, reasons.")
@click.option(
    "--spreadsheet",
    is_flag=True,
    help="CSV for a spreadsheet: an apostrophe before text that begins with =, +, -, @, a tab or a carriage return.",
)
def export(name: str, form: str, output: str, to: int | None, *, personal: bool, spreadsheet: bool) -> None:
    """Write everything that NAME holds: a view, as users or deliveries, or log, the events with their envelope.

    All of it is of one moment, and stamped with the position of the log that it reflects: in the key-value metadata of a
    Parquet file, for the others in FILE.meta.json, which comes last; and on standard error, as the last line. FILE has
    its name only when it is whole, and can be read by you alone.

    Users to whom something happened that the view could not take in are left out: parked in the stamp says how many.

    What is personal is left out unless you say --personal; with it, what was forgotten reads {"forgotten": true}. CSV
    has null as nothing, text in quotes, and arrays and objects as JSON. Names are what people chose, and a spreadsheet
    takes one that begins with = for a formula: give it what --spreadsheet writes.

    It reads as Muster's reader, in one transaction, and takes little memory, however much there is.
    """
    if spreadsheet and form != "csv":
        refuse(f"{NAME}: --spreadsheet goes with --format csv.")
    make = SPREADSHEET if spreadsheet else form
    operate(NAME, lambda settings: _export(settings, name, make, output, to, personal=personal))


async def _export(settings: Settings, name: str, form: str, output: str, to: int | None, *, personal: bool) -> None:
    from queries.exports import NotYet, exports

    if name not in exports():
        refuse(f"{NAME}: there is no {name!r} to export: {', '.join(exports())}.")
    make = _format(form)
    async with reading(settings) as connection:
        try:
            async with await _opened(settings, connection, name, to, personal=personal) as taken:
                stamp = await (
                    _to_standard_output(taken, form, make)
                    if output == STANDARD_OUTPUT
                    else _to_file(taken, form, make, Path(output))
                )
        except NotYet as refusal:
            refuse(f"{NAME}: {refusal}", 1)
    tell_left_out(taken.parked, name)
    click.echo(msgspec.json.encode(stamp), err=True)


def _format(form: str) -> "type[Any]":
    from api.export_formats import Csv, Ndjson, SpreadsheetCsv

    if form != "parquet":
        return {"csv": Csv, SPREADSHEET: SpreadsheetCsv, "ndjson": Ndjson}[form]
    try:
        from api.parquet import Parquet
    except ImportError:
        refuse(
            f"{NAME}: Parquet needs the package pyarrow, which is not installed: install it, or Muster with its extra `parquet`."
        )
    return Parquet


async def _opened(
    settings: Settings, connection: Any, name: str, to: int | None, *, personal: bool
) -> "AbstractAsyncContextManager[Export]":
    from events.data_keys import DataKeys
    from events.keys import local_keyring
    from queries.delivery_exports import exported_deliveries
    from queries.exports import DELIVERIES, LOG, exported_view
    from queries.log_exports import exported_log

    if name == LOG:
        keys = DataKeys(local_keyring(master_keys(settings)))
        return exported_log(connection, keys, personal=personal, to=to)
    await _wait(connection, name, to)
    if name == DELIVERIES:
        return exported_deliveries(connection, at_least=to or 0)
    return exported_view(connection, name, personal=personal, at_least=to or 0)


async def _wait(connection: Any, name: str, to: int | None) -> None:
    """For what was recorded before, a moment; for a position that was named, as long as it is worth while."""
    from queries.deliveries import deliveries_position
    from queries.exports import DELIVERIES, view_position

    async def position() -> int:
        return await (deliveries_position(connection) if name == DELIVERIES else view_position(connection, name))

    if to is None:
        await caught_up(connection, position)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while to is not None and await position() < to:  # noqa: ASYNC110 - it comes about in another process
                await asyncio.sleep(0.1)


async def _to_standard_output(taken: "Export", form: str, make: "type[Any]") -> Mapping[str, Any]:
    from api.export_files import Digested

    file = sys.stdout.buffer
    if form == "parquet" and sys.stdout.isatty():
        refuse(f"{NAME}: Parquet is nothing to be read at a terminal: name a file with --output.")
    digested = Digested(file)
    await _written(taken, form, make, digested)
    file.flush()
    return _stamp(taken, form, digested)


async def _to_file(taken: "Export", form: str, make: "type[Any]", path: Path) -> Mapping[str, Any]:
    from api.export_files import Digested, put_in_place, sidecar, unfinished

    try:
        with unfinished(path) as (file, lies), unfinished(sidecar(path)) as (beside, lies_beside):
            digested = Digested(file)
            await _written(taken, form, make, digested)
            stamp = _stamp(taken, form, digested)
            sidecar(path).unlink(missing_ok=True)  # what it tells is not true of the new file
            put_in_place(file, lies, path)
            if form != "parquet":
                beside.write(msgspec.json.format(msgspec.json.encode(stamp)) + b"\n")
                put_in_place(beside, lies_beside, sidecar(path))
    except ConnectionError:  # it is the database that is gone
        raise
    except OSError as error:
        refuse(f"{NAME}: {path} cannot be written: {error.strerror or error}.", 1)
    return stamp


async def _written(taken: "Export", form: str, make: "type[Any]", sink: "Sink") -> None:
    about = {f"muster.{name}": _text(value) for name, value in _about(taken, form).items()}
    writer: Format = make(sink, taken.fields, about)
    progress, done = Progress("rows", taken.count), 0
    async for rows in taken.batches:
        writer.write(rows)
        done += len(rows)
        progress.at(done)
    writer.end()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')


def _about(taken: "Export", form: str) -> dict[str, Any]:
    return {
        "name": taken.name,
        "format": form,
        "position": taken.position,
        "taken_at": taken.taken_at,
        "rows": taken.count,
        "parked": taken.parked,
        "left_out": taken.left_out,
        "columns": {field.name: field.kind for field in taken.fields},
    }


def _stamp(taken: "Export", form: str, digested: Any) -> Mapping[str, Any]:
    return _about(taken, form) | {"bytes": digested.size, "sha256": digested.sha256}
