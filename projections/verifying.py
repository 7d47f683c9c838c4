"""Compares what a table serves with the log, row by row and as of one moment, and puts right what differs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Literal, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct, field

from events.discarded import discarded
from events.keys import MasterKey
from projections.anew import FIRST, LAST, Anew, Folded
from projections.causes import told
from projections.moments import Moment
from projections.read_model import ReadModel, Row
from projections.repairing import Repairer
from projections.rows import Rows, Stored

__all__ = ["Difference", "Verified", "Verifier"]

R = TypeVar("R", bound=Row)
AT_ONCE: Final = 10_000
"""Rows, and events, that are in memory at a time; a key has all of its own there."""


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row that is not what the log makes of it: wrong in these columns, missing, or one too many.

    `identity` tells which row of the key it is. A key is `unfoldable` that has an event which the model cannot take and
    which is not parked.
    """

    kind: Literal["wrong", "missing", "additional", "unfoldable"]
    key: UUID
    identity: dict[str, Any] = {}
    columns: list[str] = []
    stored: dict[str, Any] | None = None
    expected: dict[str, Any] | None = None
    cause: str | None = None


class Verified(Struct, kw_only=True):
    """What a comparison found, as of a position: how much was compared, how many keys differed and how many were put right.

    `parked` are keys whose rows are as of before an event that the table could not take, with the position of that event.
    """

    table: str
    position: int
    keys: int = 0
    rows: int = 0
    differences: int = 0
    differing_keys: int = 0
    repaired_keys: int = 0
    parked: dict[UUID, int] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether the table is now what the log makes of it, but for what is parked."""
        return self.differing_keys == self.repaired_keys


class Verifier(Generic[R]):
    """Compares one table; `model` is on it. What is found is told one by one, and what is done by the number of keys."""

    def __init__(
        self,
        model: ReadModel[R],
        master: MasterKey,
        *,
        found: Callable[[Difference], None] = lambda _difference: None,
        progress: Callable[[int], None] = lambda _keys: None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._model = model
        self._master = master
        self._rows = Rows(model)
        self._found = found
        self._progress = progress
        self._at_once = at_once

    async def verify(
        self,
        connection: asyncpg.Connection,
        *,
        after: UUID = FIRST,
        until: UUID = LAST,
        repairing: asyncpg.Connection | None = None,
    ) -> Verified:
        """Compare the keys of a range, or all, while everything goes on; with a second connection, put right what differs.

        One transaction sees checkpoints, rows and log of one moment, and each key is folded up to its partition's
        checkpoint. Raises `NotComparable`.
        """
        repairer = None if repairing is None else Repairer(self._model, self._master, repairing)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            moment = await Moment.of(connection, self._model.consumer)
            verified = Verified(table=self._model.consumer, position=min(moment.positions), parked=moment.parked)
            passed_over = await discarded(connection, self._model.name)
            anew = Anew(
                self._model, self._master, until=max(moment.positions), discarded=passed_over, at_once=self._at_once
            )
            stored = await self._rows.stored(connection, after, until)
            async for page in anew.keys(connection, after, until):
                await self._compare_all(connection, moment, verified, page, stored, repairer)
            while rows := await stored.until(until, self._at_once):
                await self._compare(connection, moment, verified, (), rows, repairer)
        return verified

    async def _compare_all(
        self,
        connection: asyncpg.Connection,
        moment: Moment,
        verified: Verified,
        page: Sequence[Folded[R]],
        stored: Stored[R],
        repairer: Repairer[R] | None,
    ) -> None:
        """A page of keys and whatever rows stand up to the last of them, which may be more than fit."""
        last = page[-1].key if page else FIRST
        while rows := await stored.until(last, self._at_once):
            reached = max(rows)
            here = [folded for folded in page if folded.key <= reached]
            page = page[len(here) :]
            await self._compare(connection, moment, verified, here, rows, repairer)
        if page:
            await self._compare(connection, moment, verified, page, {}, repairer)

    async def _compare(
        self,
        connection: asyncpg.Connection,
        moment: Moment,
        verified: Verified,
        page: Sequence[Folded[R]],
        rows: Mapping[UUID, list[R]],
        repairer: Repairer[R] | None,
    ) -> None:
        differing: dict[UUID, list[Difference]] = {}
        for folded in page:
            if differences := self._differences(moment, folded, rows.get(folded.key, ())):
                differing[folded.key] = differences
        known = {folded.key for folded in page}
        for key in rows.keys() - known:
            differing[key] = list(self._between(key, rows[key], ()))
        for key in await moment.being_forgotten(connection, differing):
            del differing[key]
        for difference in (difference for key in sorted(differing) for difference in differing[key]):
            self._found(difference)
        verified.keys += len(known | rows.keys())
        verified.rows += sum(map(len, rows.values()))
        verified.differences += sum(map(len, differing.values()))
        verified.differing_keys += len(differing)
        if differing and repairer is not None:
            verified.repaired_keys += await repairer.repair(differing)
        self._progress(verified.keys)

    def _differences(self, moment: Moment, folded: Folded[R], stored: Sequence[R]) -> list[Difference]:
        cut = moment.cut(self._model, folded)
        if cut.failure is not None:
            return [Difference(kind="unfoldable", key=cut.key, cause=told(cut.failure))]
        return self._between(cut.key, stored, cut.rows)

    def _between(self, key: UUID, stored: Sequence[R], expected: Sequence[R]) -> list[Difference]:
        if len(stored) == len(expected) == 1 and stored[0] == expected[0]:  # as it nearly always is
            return []
        there = {self._model.identify(row): self._rows.values(row) for row in stored}
        due = {self._model.identify(row): self._rows.values(row) for row in expected}
        return [
            self._difference(key, there.get(identity), due.get(identity))
            for identity in sorted(there.keys() | due.keys(), key=repr)
            if there.get(identity) != due.get(identity)
        ]

    def _difference(self, key: UUID, stored: dict[str, Any] | None, expected: dict[str, Any] | None) -> Difference:
        row = stored or expected or {}
        identity = {name: row[name] for name in self._model.identity}
        columns: list[str] = []
        if stored is not None and expected is not None:
            columns = [name for name in stored if stored[name] != expected[name]]
        kind: Literal["wrong", "missing", "additional"] = (
            "missing" if stored is None else "additional" if expected is None else "wrong"
        )
        return Difference(kind=kind, key=key, identity=identity, columns=columns, stored=stored, expected=expected)
