"""How far a table is at one moment, and what each of its keys must then be."""

from collections.abc import Collection, Sequence
from typing import TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from projections.anew import Folded
from projections.folding import fold_whole
from projections.read_model import ReadModel, Row

__all__ = ["Moment", "NotComparable"]

R = TypeVar("R", bound=Row)


class NotComparable(Exception):
    """The table cannot be compared with the log at this moment; its message says why."""


class Moment(Struct, frozen=True):
    """The positions of a table's partitions, and its keys that have parked events with the first position of those."""

    positions: Sequence[int]
    parked: dict[UUID, int]

    @classmethod
    async def of(cls, connection: asyncpg.Connection, consumer: str) -> "Moment":
        """The present one, or that which a transaction sees. Raises `NotComparable`."""
        rows = await connection.fetch(
            "SELECT position, replayed_to FROM checkpoints WHERE consumer = $1 ORDER BY partition", consumer
        )
        if not rows:
            raise NotComparable(f"{consumer} is not projected.")
        if any(row["position"] < row["replayed_to"] for row in rows):
            raise NotComparable(f"{consumer} was divided anew and is not there yet; try again in a moment.")
        parked = await connection.fetch(
            "SELECT key, min(position) AS position FROM parked_events WHERE consumer = $1 GROUP BY key", consumer
        )
        return cls([row["position"] for row in rows], {row["key"]: row["position"] for row in parked})

    def last(self, key: UUID) -> int:
        """The last position whose event, if it is about this key, has been taken in."""
        reached = self.positions[key.bytes[15] % len(self.positions)]
        return min(reached, self.parked[key] - 1) if key in self.parked else reached

    def cut(self, model: ReadModel[R], folded: Folded[R]) -> Folded[R]:
        """A key as of this moment, without what was not taken in yet."""
        last = self.last(folded.key)
        if folded.facts[-1].position <= last:
            return folded
        facts = [fact for fact in folded.facts if fact.position <= last]
        try:
            return Folded(folded.key, facts, fold_whole(model, facts))
        except Exception as error:  # noqa: BLE001 - whatever an evolve fails with
            return Folded(folded.key, facts, [], error)

    async def being_forgotten(self, connection: asyncpg.Connection, keys: Collection[UUID]) -> list[UUID]:
        """Those of these keys that are forgotten, for a reason that the table is still to meet on the log.

        What is personal can be read no longer, but was until the table's position: then a difference is no mistake.
        """
        if not keys:
            return []
        rows = await connection.fetch(
            """SELECT subject_id, (SELECT max(notification_id) FROM stored_events AS e
                WHERE e.subject_id = k.subject_id) AS position
            FROM data_keys AS k WHERE subject_id = ANY($1) AND wrapped IS NULL""",
            list(keys),
        )
        return [row["subject_id"] for row in rows if (row["position"] or 0) > self.last(row["subject_id"])]
