"""Imports: lines in, many rows at once, and what became of each out, in their order; in memory that does not grow with them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from api.import_rows import ImportRow, RowTold, command_of, row_of, told, told_refused
from api.lines import Line
from api.reasons import Declined
from commands.addresses import address
from commands.errors import InvalidAddress, Refused
from commands.handler import Context, Handler, Outcome
from commands.import_user import Imported, ImportUser
from events.errors import QueueFull

__all__ = ["ROWS_AT_ONCE", "Attempt", "Summary", "doing", "import_lines", "rehearsing"]

ROWS_AT_ONCE: Final = 64
"""So many that commits are shared, and so few that whoever asks for something else does not wait for them."""
QUEUE_SECONDS: Final = 0.05
QUEUE_TRIES: Final = 400

Attempt = Callable[[ImportUser, str | None], Awaitable[tuple[Imported, int]]]
"""Does what a row asks for, or tries it out, for its reason: what became of it, and the position of that in the log."""


class Summary(Struct):
    """How many rows there were, and what became of them; all that was recorded stands in the log up to `position`."""

    rows: int = 0
    imported: int = 0
    unchanged: int = 0
    differs: int = 0
    refused: int = 0
    position: int = 0
    dry_run: bool = False

    def count(self, row: RowTold) -> None:
        """One more."""
        self.rows += 1
        setattr(self, row.outcome, getattr(self, row.outcome) + 1)

    def in_words(self) -> str:
        """For people."""
        counted = f"{self.imported:,} imported, {self.unchanged:,} unchanged, {self.differs:,} differ, {self.refused:,} refused"
        return f"{self.rows:,} rows: {counted}{'; nothing was done, for it was a dry run' if self.dry_run else ''}."


def rehearsing(handler: Handler, context: Context) -> Attempt:
    """Tries a row out, by itself: what other rows of the same import would make of it, it does not know."""

    async def attempt(command: ImportUser, reason: str | None) -> tuple[Imported, int]:
        imported, _ = await handler.rehearse(command, _because(context, reason))
        return imported, 0

    return attempt


def doing(handle: Callable[[ImportUser, Context], Awaitable[Outcome[Imported]]], context: Context) -> Attempt:
    """Does what a row asks for; whoever waits to be committed is given time."""

    async def attempt(command: ImportUser, reason: str | None) -> tuple[Imported, int]:
        because = _because(context, reason)
        for _ in range(QUEUE_TRIES):
            try:
                outcome = await handle(command, because)
            except QueueFull:
                await asyncio.sleep(QUEUE_SECONDS)
            else:
                return outcome.result, outcome.position
        raise QueueFull

    return attempt


def _because(context: Context, reason: str | None) -> Context:
    """What is said of a row goes before what is said of all."""
    return context if reason is None else replace(context, reason=reason)


class _UnderWay(Struct, frozen=True, eq=False):
    task: asyncio.Task[RowTold]
    names: frozenset[object]


async def import_lines(
    lines: AsyncIterator[Line],
    attempt: Attempt,
    tell: Callable[[RowTold], None],
    places: asyncio.Semaphore,
    *,
    dry_run: bool = False,
) -> Summary:
    """Attempt the rows of all lines, `ROWS_AT_ONCE` of them at a time and as many as have `places`; tell of each in order.

    Rows that name the same person are attempted one after the other. Safe to be broken off, and to be repeated. Raises
    `StoreUnavailable` when the store cannot take more: what was told of was done.
    """
    importing = _Importing(attempt, places, Summary(dry_run=dry_run))
    try:
        async for line in lines:
            importing.begin(line)
            while importing.is_full or importing.first_is_done:
                tell(await importing.first())
        while importing.under_way:
            tell(await importing.first())
    finally:
        await importing.break_off()
    return importing.summary


class _Importing:
    def __init__(self, attempt: Attempt, places: asyncio.Semaphore, summary: Summary) -> None:
        self.summary = summary
        self.under_way: deque[_UnderWay] = deque()
        self._attempt = attempt
        self._places = places
        self._named: dict[object, asyncio.Task[RowTold]] = {}

    @property
    def is_full(self) -> bool:
        return len(self.under_way) >= ROWS_AT_ONCE

    @property
    def first_is_done(self) -> bool:
        return bool(self.under_way) and self.under_way[0].task.done()

    def begin(self, line: Line) -> None:
        document: Any = None
        try:
            document, row = row_of(line.text)
        except Declined as refusal:
            task = asyncio.create_task(_at_once(told_refused(line.number, document, refusal)))
            self.under_way.append(_UnderWay(task, frozenset()))
            return
        names = _names(row)
        before = {self._named[name] for name in names if name in self._named}
        task = asyncio.create_task(self._row(line.number, document, row, before))
        self._named |= dict.fromkeys(names, task)
        self.under_way.append(_UnderWay(task, names))

    async def first(self) -> RowTold:
        """What became of the row that came first, once that is known."""
        row = await self.under_way[0].task
        first = self.under_way.popleft()
        for name in first.names:
            if self._named.get(name) is first.task:
                del self._named[name]
        self.summary.count(row)
        return row

    async def break_off(self) -> None:
        """Attempt nothing more; what is being committed is."""
        tasks = [row.task for row in self.under_way]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _row(self, number: int, document: Any, row: ImportRow, before: set[asyncio.Task[RowTold]]) -> RowTold:
        if before:
            await asyncio.wait(before)
        try:
            async with self._places:
                imported, position = await self._attempt(command_of(row), row.reason)
        except Refused as refusal:
            return told_refused(number, document, refusal)
        self.summary.position = max(self.summary.position, position)
        return told(number, row, imported, dry_run=self.summary.dry_run)


async def _at_once(row: RowTold) -> RowTold:
    return row


def _names(row: ImportRow) -> frozenset[object]:
    """By what others may mean the same person."""
    names: list[object] = [name for name in (row.id, row.external_id) if name is not None]
    with suppress(InvalidAddress):
        names.append(("address", address(row.email).canonical))
    return frozenset(names)
