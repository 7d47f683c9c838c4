"""Folds the log anew, key by key, in the order of the keys: in memory that does not grow with the log."""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from events.codec import decode
from events.data_keys import DataKeys
from events.event import Recorded
from events.keys import MasterKey
from events.rows import OF_FACTS
from projections.folding import Fact, Unreadable, fold, fold_whole
from projections.read_model import ReadModel, Row
from projections.topics import known_topics

__all__ = ["FIRST", "LAST", "Anew", "Folded", "KeyRange", "Unfoldable", "key_ranges"]

R = TypeVar("R", bound=Row)

FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)
EVENTS_AT_ONCE: Final = 10_000

_PAGE: Final = f"""
    SELECT {OF_FACTS} FROM stored_events
    WHERE (subject_id, notification_id) > ($1, $2) AND subject_id <= $3 AND notification_id <= $4
        AND (topic = ANY($5) OR topic <> ALL($6))
    ORDER BY subject_id, notification_id LIMIT $7
"""  # noqa: S608 - made of constants

_BOUNDARY: Final = """
    SELECT subject_id, notification_id FROM stored_events WHERE subject_id > $1
    ORDER BY subject_id, notification_id OFFSET $2 LIMIT 1
"""


class KeyRange(Struct, frozen=True):
    """Keys after one, up to another (included); `events` is how many events they have, of whatever kind."""

    after: UUID
    until: UUID
    events: int


async def key_ranges(connection: asyncpg.Connection, events: int) -> AsyncIterator[KeyRange]:
    """All keys of the log, in ranges of about so many events, found one by one in an index."""
    after = FIRST
    while (row := await connection.fetchrow(_BOUNDARY, after, events - 1)) is not None:
        yield KeyRange(after, row["subject_id"], events)
        after = row["subject_id"]
    rest = await connection.fetchval("SELECT count(*) FROM stored_events WHERE subject_id > $1", after)
    yield KeyRange(after, LAST, rest)


class Unfoldable(Exception):
    """An event that a read model cannot take, where it has to take all of them."""

    def __init__(self, position: int, key: UUID, cause: str) -> None:
        self.position = position
        self.key = key
        self.cause = cause
        super().__init__(f"The event at position {position}, about {key}, cannot be taken: {cause}")


class Folded(Struct, Generic[R], frozen=True):
    """A key, what happened about it, and the rows that come of that, or why none do."""

    key: UUID
    facts: Sequence[Fact]
    rows: list[R]
    failure: Exception | None = None


class Anew(Generic[R]):
    """Folds the events of keys up to a position, but those that were discarded.

    Data keys are fetched in bulk and kept for as long as a page of events lasts. `connection` may be in a transaction
    that sees the log of one moment.
    """

    def __init__(
        self,
        model: ReadModel[R],
        master: MasterKey,
        *,
        until: int,
        discarded: Collection[int] = frozenset(),
        at_once: int = EVENTS_AT_ONCE,
    ) -> None:
        self._at_once = at_once
        self._model = model
        self._master = master
        self._until = until
        self._discarded = discarded
        self._topics = [event.__name__ for event in model.events]

    async def keys(self, connection: asyncpg.Connection, after: UUID, until: UUID) -> AsyncIterator[list[Folded[R]]]:
        """The keys of a range that have events, in their order, some at a time, with the rows that they make."""
        place = (after, 2**63 - 1)
        left: list[Fact] = []
        while True:
            page = await connection.fetch(
                _PAGE, *place, until, self._until, self._topics, known_topics(), self._at_once
            )
            keys: DataKeys | None = None
            if self._model.opens_seals:
                keys = DataKeys(self._master)
                await keys.fetch(connection, {row["subject_id"] for row in page})
            facts = left + [self._fact(row, keys) for row in page if row["notification_id"] not in self._discarded]
            more = len(page) == self._at_once
            groups = list(_by_key(facts))
            left = groups.pop() if more and groups else []
            yield [self._folded(group) for group in groups]
            if not more:
                return
            place = page[-1]["subject_id"], page[-1]["notification_id"]

    def _fact(self, row: Any, keys: DataKeys | None) -> Fact:
        stream_id, version, topic, state, position, stream_type, subject, recorded_at, _ = row
        key = None if keys is None else keys.fetched(subject)
        try:
            event = decode(topic, state, stream_id, version, key)
        except Exception as error:  # noqa: BLE001 - whoever asked decides what becomes of it
            return Unreadable(position, subject, error)
        return Recorded(event, position, stream_id, stream_type, version, subject, recorded_at)

    def _folded(self, facts: list[Fact]) -> Folded[R]:
        key = facts[0].subject_id
        assert key is not None, "only events about someone were asked for"
        try:
            return Folded(key, facts, fold_whole(self._model, facts))
        except Exception as error:  # noqa: BLE001 - whatever an evolve fails with
            return Folded(key, facts, [], error)

    def unfoldable(self, folded: Folded[R]) -> Unfoldable:
        """Which event of a key it was that could not be taken."""
        first = fold(self._model, {}, folded.facts, {}).parked[0]
        return Unfoldable(first.position, first.key, first.cause)


def _by_key(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """Facts that stand in the order of their keys, those of each key together."""
    start = 0
    for place in range(1, len(facts)):
        if facts[place].subject_id != facts[start].subject_id:
            yield list(facts[start:place])
            start = place
    if facts:
        yield list(facts[start:])
