"""The end of the log, read once for all partitions of a process, and what they do together when it does not concern them.

Each commit wakes every partition that is held, and each would ask the database the same. Instead whoever asks first reads
on for all, after the announcement that woke them, and with the keys that open it. A partition that is further behind than
what is kept here asks for itself.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
from msgspec.structs import replace

from events.data_keys import DataKeys
from events.gathering import Gathered
from events.rows import OF_FACTS
from events.tail import Wakeups
from projections.checkpoints import Checkpoint
from projections.following import MOST_EVENTS, Concern, Next, next_events
from projections.moving import move, move_idle
from projections.topics import known_topics

__all__ = ["Recent"]

PAGE: Final = 1_000
KEPT: Final = 1_000

_ON: Final = f"""
    SELECT log.*, key.key_id, key.wrapped FROM (
        SELECT {OF_FACTS} FROM stored_events WHERE notification_id > $1 ORDER BY notification_id LIMIT %d
    ) AS log
    LEFT JOIN LATERAL (SELECT key_id, wrapped FROM data_keys WHERE subject_id = log.subject_id OFFSET 0) AS key ON true
    ORDER BY log.notification_id
"""  # noqa: S608 - made of constants
"""Keys are looked up one by one (`OFFSET 0`), and never joined as a whole. The limit stands in the text, since a plan for
any number would take it for a tenth of the log.
"""

_Move = tuple[Checkpoint, int]


class _Fact:
    """A row of the log, and what tells whom it concerns."""

    __slots__ = ("byte", "row", "strange", "topic")

    def __init__(self, row: Any, known: frozenset[str]) -> None:
        subject = row["subject_id"]
        self.row = row
        self.topic: str = row["topic"]
        self.strange = self.topic not in known
        self.byte: int | None = None if subject is None else subject.bytes[15]

    def concerns(self, checkpoint: Checkpoint, concern: Concern) -> bool:
        """Whether a consumer takes it in this partition."""
        if self.byte is None:
            return self.topic in concern.topics
        if self.byte % checkpoint.partitions != checkpoint.partition:
            return False
        return self.topic in concern.topics or (concern.strange and self.strange)


class Recent:
    """What was committed lately; one a process.

    What is answered was read after the last announcement that was heard before it was asked for. It is no proof that
    nothing else was committed: those who follow the log ask the database itself now and then.
    """

    def __init__(self, pool: asyncpg.Pool, wakeups: Wakeups, keys: DataKeys) -> None:
        self.reads = 0
        """How often the log was read."""
        self._pool = pool
        self._keys = keys
        self._known = frozenset(known_topics())
        self._facts: list[_Fact] = []
        self._positions: list[int] = []
        self._begin = self._end = 0  # it has everything after the one, up to the other
        self._stale = True
        self._more = False
        self._reading: asyncio.Task[None] | None = None
        self._idle: Gathered[_Move, bool] = Gathered(self._move_idle)
        wakeups.on_announcement(self._heard)

    async def next_events(
        self,
        connection: asyncpg.Connection,
        checkpoint: Checkpoint,
        concern: Concern,
        limit: int = MOST_EVENTS,
        *,
        looked: int = 0,
    ) -> Next:
        """As the function of this name, and without a question of one's own where others have asked it."""
        after = max(checkpoint.position, looked)
        if checkpoint.follows is not None or after < self._begin:
            return await next_events(connection, checkpoint, concern, limit, looked=looked)
        await self._read_on(after)
        if after < self._begin:
            return await next_events(connection, checkpoint, concern, limit, looked=looked)
        facts = self._facts[bisect_right(self._positions, after) :]
        rows = [fact.row for fact in facts if fact.concerns(checkpoint, concern)]
        if len(rows) > limit:
            rows = rows[:limit]
            return Next(rows, rows[-1]["notification_id"], behind=True)
        return Next(rows, max(after, self._end), behind=self._more)

    async def move(self, connection: asyncpg.Connection, checkpoint: Checkpoint, position: int) -> Checkpoint:
        """Move the checkpoint of a partition that was looked for and found idle; others' in the same transaction.

        Raises `Overtaken` as `move` does.
        """
        if await self._idle.answer((checkpoint, position)):
            return replace(checkpoint, position=position)
        return await move(connection, checkpoint, position)

    async def _move_idle(self, moves: Sequence[_Move]) -> Mapping[_Move, bool]:
        moved = await move_idle(self._pool, moves)
        return {one: (one[0].consumer, one[0].partition) in moved for one in moves}

    def _heard(self, _announcement: str) -> None:
        self._stale = True

    async def _read_on(self, after: int) -> None:
        """Have what was announced before this was called; `after` is where whoever asks stands."""
        while self._stale or self._reading is not None:
            if self._reading is None:
                self._stale = False
                self._reading = asyncio.create_task(self._read(after), name="recent events")
            was_fresh = not self._stale
            await asyncio.shield(self._reading)
            if was_fresh:
                return

    async def _read(self, after: int) -> None:
        try:
            if after > self._end + PAGE:
                self._facts, self._positions, self._begin, self._end = [], [], after, after
            self.reads += 1
            forgets = self._keys.forgets
            rows = await self._pool.fetch(_ON % PAGE, self._end)
        except BaseException:
            self._stale = True
            raise
        finally:
            self._reading = None
        self._more = len(rows) == PAGE
        self._stale |= self._more
        if not rows:
            return
        facts = [dict(row) for row in rows]
        keys = [(fact["subject_id"], fact.pop("key_id"), fact.pop("wrapped")) for fact in facts]
        self._facts += [_Fact(fact, self._known) for fact in facts]  # kept without keys: those may be forgotten
        self._positions += [fact["notification_id"] for fact in facts]
        self._end = self._positions[-1]
        if (gone := len(self._facts) - KEPT) > KEPT:
            self._begin = self._positions[gone - 1]
            del self._facts[:gone], self._positions[:gone]
        self._keys.learn(((subject, key_id, key) for subject, key_id, key in keys if key_id is not None), forgets)
