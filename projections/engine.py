"""Keeps read models: takes the next events of a partition, folds them, and writes the rows with the checkpoint."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import asyncpg
import structlog
from msgspec.structs import replace

from events.data_keys import DataKeys
from events.store import recorded
from projections.causes import told
from projections.checkpoints import Checkpoint, move
from projections.consumer import Step
from projections.folding import BLOCKED, Fact, Folded, Unreadable, fold
from projections.following import MOST_EVENTS, next_events
from projections.parking import blocked_keys, park, parked_rows, unpark
from projections.read_model import ReadModel, Row
from projections.rows import Rows
from projections.topics import known_topics

__all__ = ["Projector"]

R = TypeVar("R", bound=Row)
_log = structlog.get_logger()

RETRY_SECONDS: Final = 60.0
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
        self._topics = [event.__name__ for event in model.events]
        self._most_events = most_events
        self._blocked: dict[int, set[UUID]] = {}
        self._tried: dict[int, float] = {}

    async def create(self, connection: asyncpg.Connection, reader: str) -> None:
        """Make the table unless it is there, for the reader's role (a quoted name) to read."""
        await self._rows.create(connection, reader)

    async def begin(self, connection: asyncpg.Connection, checkpoint: Checkpoint) -> None:
        """To be done when a partition was taken, before its first step."""
        blocked = await blocked_keys(connection, checkpoint)
        self._blocked[checkpoint.partition] = blocked
        if blocked and time.monotonic() > self._tried.get(checkpoint.partition, 0) + RETRY_SECONDS:
            await self.retry(connection, checkpoint)
            self._tried[checkpoint.partition] = time.monotonic()

    async def step(self, connection: asyncpg.Connection, checkpoint: Checkpoint) -> Step:
        """Take in the next events of a partition that is held on this connection: rows and checkpoint, or nothing.

        Raises `Overtaken` when someone else moved the checkpoint.
        """
        found = await next_events(connection, checkpoint, self._topics, known_topics(), self._most_events)
        if not found.rows:
            if found.position > checkpoint.position:
                checkpoint = await move(connection, checkpoint, found.position)
            return Step(checkpoint, found.behind, 0)
        blocked = dict.fromkeys(self._blocked.get(checkpoint.partition, ()), BLOCKED)
        await self._apply(connection, checkpoint, found.position, found.rows, blocked)
        return Step(replace(checkpoint, position=found.position), found.behind, len(found.rows))

    async def retry(self, connection: asyncpg.Connection, checkpoint: Checkpoint) -> None:
        """Try the parked events of a partition again, the earliest first; what is still refused stays parked."""
        rows = await parked_rows(connection, checkpoint, self._most_events)
        await self._apply(connection, checkpoint, checkpoint.position, rows, {}, again=True)
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
    ) -> None:
        subjects = {row["subject_id"] for row in log_rows}
        if self._model.opens_seals:
            await self._keys.fetch(connection, subjects)
        facts = [self._fact(row) for row in log_rows]
        rows = await self._rows.load(connection, subjects)
        seen = await self._rows.seen(connection, subjects) if checkpoint.replaying else None
        folded = fold(self._model, rows, facts, blocked, seen)
        tried = [fact.position for fact in facts] if again else []
        try:
            await self._write(connection, checkpoint, position, folded, tried)
        except REFUSED_DATA:
            refused = await self._refused(connection, folded.changed)
            if not refused:
                raise
            folded = fold(self._model, rows, facts, {**blocked, **refused}, seen)
            await self._write(connection, checkpoint, position, folded, tried)
        if folded.parked:
            self._blocked.setdefault(checkpoint.partition, set()).update(event.key for event in folded.parked)
            if not again:
                first = folded.parked[0]
                _log.error("events parked", consumer=self.name, events=len(folded.parked), position=first.position)

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
    ) -> None:
        async with connection.transaction():
            await move(connection, checkpoint, position)
            await self._rows.remove(connection, folded.removed)
            await self._rows.write(connection, folded.changed)
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
