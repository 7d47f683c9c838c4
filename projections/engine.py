"""Keeps read models: takes the next events of a partition, folds them, and writes the rows with the checkpoint."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import asyncpg
import structlog
from msgspec.structs import replace

from events.data_keys import DataKeys
from events.discarded import discarded
from events.projection import ParkedEventDiscarded
from events.store import recorded
from projections.causes import told
from projections.checkpoints import Checkpoint
from projections.consumer import Step
from projections.decisions import DECISIONS, decision, undecided
from projections.folding import BLOCKED, Fact, Folded, Parked, Unreadable, fold
from projections.following import MOST_EVENTS, Concern, next_events
from projections.idling import Idling
from projections.moving import move
from projections.parking import blocked_keys, park, parked_rows, unpark, unpark_all
from projections.read_model import ReadModel, Row, Several
from projections.recent import Recent
from projections.rows import Rows

__all__ = ["Projector"]

R = TypeVar("R", bound=Row)
_log = structlog.get_logger()

RETRY_SECONDS: Final = 60.0
HELD_SECONDS: Final = 0.05
"""How often a table that stays behind another one looks how far that is."""

TELLS_EVERY_SECONDS: Final = 0.01
"""How long somebody who waits for all partitions of a view waits for the idle ones, at most."""

REFUSED_DATA: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)


class Projector(Generic[R]):
    """Moves the partitions of one read model through the log. One a process and model; it holds no connection.

    Between `begin` and the release of a partition nobody else parks or frees its events, so its blocked keys are
    remembered. What is parked is tried again now and then: a newer version of Muster may have learnt to take it.
    """

    def __init__(self, model: ReadModel[R], keys: DataKeys, *, most_events: int = MOST_EVENTS) -> None:
        self.name = model.consumer
        self._model = model
        self._keys = keys
        self._rows = Rows(model)
        self._owns_one = not isinstance(model.evolve, Several)
        topics = frozenset((*DECISIONS, *(event.__name__ for event in model.events)))
        self._concern = Concern(topics, strange=True)
        self._most_events = most_events
        self._discarded: set[int] = set()
        self._blocked: dict[int, set[UUID]] = {}
        self._tried: dict[int, float] = {}
        self._idling = Idling(TELLS_EVERY_SECONDS)

    async def create(self, connection: asyncpg.Connection, reader: str) -> None:
        """Make the table unless it is there, for the reader's role (a quoted name) to read."""
        await self._rows.create(connection, reader)

    async def begin(self, connection: asyncpg.Connection, checkpoint: Checkpoint) -> None:
        """To be done when a partition was taken, before its first step."""
        self._idling.begin(checkpoint)
        self._discarded |= await discarded(connection, self._model.name)
        blocked = await blocked_keys(connection, checkpoint)
        self._blocked[checkpoint.partition] = blocked
        if blocked and time.monotonic() > self._tried.get(checkpoint.partition, 0) + RETRY_SECONDS:
            await self.retry(connection, checkpoint, pages=1)
            self._tried[checkpoint.partition] = time.monotonic()

    async def step(self, connection: asyncpg.Connection, checkpoint: Checkpoint, recent: Recent | None = None) -> Step:
        """Take in the next events of a partition that is held on this connection: rows and checkpoint, or nothing.

        Raises `Overtaken` when someone else moved the checkpoint.
        """
        looked = self._idling.looked(checkpoint)
        ask = next_events if recent is None else recent.next_events
        found = await ask(connection, checkpoint, self._concern, self._most_events, looked=looked)
        if not found.rows:
            if found.held:
                await asyncio.sleep(HELD_SECONDS)
            if found.position == checkpoint.position:
                return Step(checkpoint, found.behind or found.held, 0)
            if not found.held and (rests := self._idling.rests(checkpoint, found)):
                return Step(checkpoint, found.behind, 0, rests)
            pass_on = move if recent is None else recent.move
            return Step(await pass_on(connection, checkpoint, found.position), found.behind or found.held, 0)
        rows = undecided(found.rows)
        if not rows:
            return Step(await self._heed(connection, checkpoint, found.rows[0]), behind=True, events=1)
        whole = len(rows) == len(found.rows)
        position = found.position if whole else rows[-1]["notification_id"]
        blocked = dict.fromkeys(self._blocked.get(checkpoint.partition, ()), BLOCKED)
        await self._apply(connection, checkpoint, position, rows, blocked)
        return Step(replace(checkpoint, position=position), found.behind or not whole, len(rows))

    async def _heed(self, connection: asyncpg.Connection, checkpoint: Checkpoint, row: Any) -> Checkpoint:
        """Do what was decided about parked events: at once, since a decision wakes whoever holds the partition."""
        decided = decision(row, self._model.name, self._keys)
        if decided is not None:
            if isinstance(decided, ParkedEventDiscarded):
                self._discarded.add(decided.position)
                await self.retry(connection, checkpoint, row["subject_id"])
            else:
                await self.retry(connection, checkpoint, decided.key)
        return await move(connection, checkpoint, row["notification_id"])

    async def retry(
        self, connection: asyncpg.Connection, checkpoint: Checkpoint, key: UUID | None = None, pages: int | None = None
    ) -> None:
        """Try the parked events of a partition, or of one key in it, again, the earliest first: all, or so many pages.

        What is still refused stays parked, with what follows of its key. What was discarded is parked no longer.
        """
        after, stopped = 0, dict[UUID, str]()
        while pages != 0 and (rows := await parked_rows(connection, checkpoint, self._most_events, after, key)):
            parked = await self._apply(connection, checkpoint, checkpoint.position, rows, stopped, again=True)
            stopped |= dict.fromkeys((event.key for event in parked), BLOCKED)
            after = rows[-1]["notification_id"]
            pages = None if pages is None else pages - 1
        self._blocked[checkpoint.partition] = await blocked_keys(connection, checkpoint)

    async def _apply(
        self,
        connection: asyncpg.Connection,
        checkpoint: Checkpoint,
        position: int,
        log_rows: Sequence[Any],
        blocked: Mapping[UUID, str],
        *,
        again: bool = False,
    ) -> Sequence[Parked]:
        subjects = {row["subject_id"] for row in log_rows}
        if self._model.opens_seals:
            await self._keys.fetch(connection, subjects)
        facts = [self._fact(row) for row in log_rows if row["notification_id"] not in self._discarded]
        if self._owns_one and not (again or checkpoint.replaying) and _all_begin(log_rows):
            begun = fold(self._model, {}, facts, blocked)
            whole = len(begun.changed) == len(subjects) and not (begun.parked or begun.freed)
            if whole and await self._write_new(connection, checkpoint, position, begun.changed, len(log_rows)):
                return ()
        rows = await self._rows.load(connection, subjects)
        seen = await self._rows.seen(connection, subjects) if checkpoint.replaying else None
        folded = fold(self._model, rows, facts, blocked, seen)
        tried = [row["notification_id"] for row in log_rows] if again else []
        taken = 0 if again else len(log_rows)
        try:
            await self._write(connection, checkpoint, position, folded, tried, taken)
        except REFUSED_DATA:
            refused = await self._refused(connection, folded.changed)
            if not refused:
                raise
            folded = fold(self._model, rows, facts, {**blocked, **refused}, seen)
            await self._write(connection, checkpoint, position, folded, tried, taken)
        self._blocked.get(checkpoint.partition, set()).difference_update(folded.freed)
        if folded.parked:
            self._blocked.setdefault(checkpoint.partition, set()).update(event.key for event in folded.parked)
            if not again:
                first = folded.parked[0]
                _log.error("events parked", consumer=self.name, events=len(folded.parked), position=first.position)
        return folded.parked

    async def _write_new(
        self, connection: asyncpg.Connection, checkpoint: Checkpoint, position: int, rows: Sequence[R], taken: int
    ) -> bool:
        """Write the rows of subjects of whom nothing can be known yet, without having looked whether it is.

        That saves a round trip, and is not taken on trust: the table takes no second row of anyone. False where it
        refuses one: then nothing was written.
        """
        try:
            await self._rows.write_moving(connection, rows, checkpoint, position, taken, new=True)
        except REFUSED_DATA:
            return False
        return True

    def _fact(self, row: Any) -> Fact:
        try:
            return recorded(row, self._keys if self._model.opens_seals else None)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one event, the others go on
            return Unreadable(row["notification_id"], row["subject_id"], error)

    async def _write(
        self,
        connection: asyncpg.Connection,
        checkpoint: Checkpoint,
        position: int,
        folded: Folded[R],
        tried: Sequence[int],
        taken: int,
    ) -> None:
        """All or nothing. One statement, where nothing but rows is written, saves three of four round trips."""
        if not (folded.removed or folded.freed or folded.parked or tried):
            await self._rows.write_moving(connection, folded.changed, checkpoint, position, taken)
            return
        async with connection.transaction():
            await move(connection, checkpoint, position, taken=taken)
            await self._rows.remove(connection, folded.removed)
            await self._rows.write(connection, folded.changed)
            await unpark_all(connection, checkpoint, folded.freed)
            if tried:
                still = {event.position for event in folded.parked}
                await unpark(connection, checkpoint, [tried_one for tried_one in tried if tried_one not in still])
            await park(connection, checkpoint, folded.parked)

    async def _refused(self, connection: asyncpg.Connection, rows: Sequence[R]) -> dict[UUID, str]:
        """The keys of the rows that the table refuses, with the reasons, found by halving; nothing is written."""
        transaction = connection.transaction()
        await transaction.start()
        try:
            await self._rows.write(connection, rows)
        except REFUSED_DATA as error:
            if len(rows) == 1:
                return {self._rows.key_of(rows[0]): told(error)}
        else:
            return {}
        finally:
            await transaction.rollback()
        middle = len(rows) // 2
        halves: Iterable[Sequence[R]] = (rows[:middle], rows[middle:])
        return {key: cause for half in halves for key, cause in (await self._refused(connection, half)).items()}


def _all_begin(log_rows: Sequence[Any]) -> bool:
    """Whether all subjects begin here: whatever is about somebody comes after the first event of their own stream."""
    begun: set[UUID] = set()
    for row in log_rows:
        subject = row["subject_id"]
        if subject not in begun:
            if row["originator_version"] != 1 or row["originator_id"] != subject:
                return False
            begun.add(subject)
    return True
