"""`muster import`: users of another system, from a file of rows."""

import asyncio
import contextlib
import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from api.arguments import reason_option
from api.operating import as_json, operate, refuse
from settings import Settings

if TYPE_CHECKING:
    from api.import_rows import RowTold
    from api.importing import Summary

__all__ = ["import_users"]

NAME: Final = "muster import"
STANDARD_INPUT: Final = "-"
CHUNK_BYTES: Final = 64 * 1024
CONNECTIONS: Final = 4
TELLS_EVERY_SECONDS: Final = 1.0
MOST_TOLD: Final = 20


@click.command("import")
@click.argument("file", metavar="FILE|-")
@click.option("--dry-run", is_flag=True, help="Tell what would become of each row, and do nothing.")
@click.option(
    "--report", metavar="FILE", help="Write there what was refused and why, and who differs: a JSON object a line."
)
@reason_option
@click.option(
    "--json", is_flag=True, help="Print what became of each row, and a summary, as JSON, one document a line."
)
def import_users(file: str, report: str | None, reason: str | None, *, dry_run: bool, json: bool) -> None:
    """Bring in users of another system, from FILE or standard input: a JSON object a line, of any number.

    \b
    {"email": "ada@example.com", "email_verified": true, "external_id": "4711",
     "display_name": "Ada Lovelace", "password_hash": "$2b$12$…"}

    The documentation's page on moving in tells all fields. muster users export writes such a file.

    What is here already is not changed: a row that comes again is unchanged, and of one that is told otherwise than before
    the fields are named. So after an interruption, or when what was refused is put right, run it again. Nothing is mailed.
    The API goes on meanwhile, and any other commands.

    --dry-run looks at each row by itself: rows of the same file that are in each other's way are not told.

    Exit codes: 0 all are here as told, 1 it was broken off, 2 some were refused or differ: standard error tells the first
    twenty, --report all.
    """
    wrong = 0

    async def work(settings: Settings) -> str:
        nonlocal wrong
        telling = _Telling(json=json)
        with _source(file) as source, _report(report, telling):
            summary = await _import(settings, source, telling, reason, dry_run=dry_run)
        telling.end()
        wrong = summary.refused + summary.differs
        return as_json({"summary": summary}) if json else summary.in_words()

    operate(NAME, work)
    if wrong:
        sys.exit(2)


async def _import(
    settings: Settings, source: "_Source", telling: "_Telling", reason: str | None, *, dry_run: bool
) -> "Summary":
    from api.handling import handler_of
    from api.importing import ROWS_AT_ONCE, doing, import_lines, rehearsing
    from api.lines import lines
    from commands.handler import Context
    from events.event import Actor

    context = Context(Actor("operator"), reason=reason)
    progress = _Progress(source)
    async with handler_of(settings, NAME, CONNECTIONS) as (handler, _):

        def tell(row: "RowTold") -> None:
            telling.row(row)
            progress.row()

        attempt = rehearsing(handler, context) if dry_run else doing(handler.handle, context)
        places = asyncio.Semaphore(ROWS_AT_ONCE)
        summary = await import_lines(lines(source.chunks()), attempt, tell, places, dry_run=dry_run)
    progress.end()
    return summary


class _Source:
    """A file that is read as it is needed; `size` is None where it has no end that is known."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = 0
        found = None
        with contextlib.suppress(OSError):  # of what is no real file
            found = os.fstat(file.fileno())
        self.size = found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """All of it, without keeping others waiting."""
        while chunk := await asyncio.to_thread(self._file.read1, CHUNK_BYTES):  # type: ignore[attr-defined] # of all that are buffered
            self.read += len(chunk)
            yield chunk


@contextmanager
def _source(file: str) -> Iterator[_Source]:
    if file == STANDARD_INPUT:
        yield _Source(sys.stdin.buffer)
        return
    try:
        opened = open(file, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        refuse(f"{NAME}: {file} cannot be read: {error.strerror or error}.")
    with opened:
        yield _Source(opened)


class _Telling:
    """Prints each row for programs, or the first that were not done for people; writes those to a report."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._wrong = 0
        self.report: Callable[[bytes], object] = lambda _line: None

    def row(self, row: "RowTold") -> None:
        """What became of one more."""
        if self._json:
            click.echo(as_json(row))
        if row.outcome not in ("refused", "differs"):
            return
        self.report(as_json(row).encode() + b"\n")
        self._wrong += 1
        if not self._json and self._wrong <= MOST_TOLD:
            click.echo(row.in_words(), err=True)

    def end(self) -> None:
        """That was all."""
        if not self._json and self._wrong > MOST_TOLD:
            click.echo(f"… and {self._wrong - MOST_TOLD:,} more: --report FILE tells all of them.", err=True)


@contextmanager
def _report(name: str | None, telling: _Telling) -> Iterator[None]:
    from api.export_files import put_in_place, unfinished

    with contextlib.ExitStack() as stack:
        if name is None:
            yield
            return
        path = Path(name)
        try:
            file, lies = stack.enter_context(unfinished(path))
        except OSError as error:
            refuse(f"{NAME}: {path} cannot be written: {error.strerror or error}.", 1)
        telling.report = file.write
        try:
            yield
        finally:  # also of an import that was broken off
            put_in_place(file, lies, path)


class _Progress:
    """Tells on standard error, once a second, how many rows are done, how fast that goes, and when it will end."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._rows = 0
        self._begun = self._told = time.monotonic()

    def row(self) -> None:
        """One more is done."""
        self._rows += 1
        now = time.monotonic()
        if now - self._told >= TELLS_EVERY_SECONDS:
            self._told = now
            self._tell(now)

    def end(self) -> None:
        """All are."""
        if self._told > self._begun:
            self._tell(time.monotonic())

    def _tell(self, now: float) -> None:
        seconds = now - self._begun
        line = f"{self._rows:,} rows, {self._rows / seconds:,.0f} a second"
        read, size = self._source.read, self._source.size
        if size and 0 < read < size:
            line += f", {100 * read // size} %, {seconds * (size - read) / read:,.0f} s left"
        click.echo(line, err=True)
