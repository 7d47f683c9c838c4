"""Questions about the events that read models could not take."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from events.connections import Reading

__all__ = ["ParkedEventPage", "ParkedEventView", "parked_events"]

MOST_EVENTS: Final = 200


class ParkedEventView(Struct, frozen=True):
    """An event that a read model could not take, and why; `table` is where it is missing. Later events of its `key` wait for it."""

    position: int
    table: str
    key: UUID
    type: str
    recorded_at: datetime
    cause: str
    parked_at: datetime


class ParkedEventPage(Struct, frozen=True):
    """Parked events by their positions; `next` is the place to go on after, None at the end.

    `position` is the least that any table of the read models has reached.
    """

    items: list[ParkedEventView]
    next: tuple[int, str] | None
    position: int


# Tables carry the name of their read model, their version and, where they were built again, a number.
_TABLES: Final = "($1::text IS NULL OR consumer ~ ('^' || $1 || '_v[0-9]+(_[0-9]+)?$'))"
_QUESTION: Final = f"""
    SELECT stands.reached, parked.* FROM (
        SELECT coalesce(min(position), 0) AS reached FROM checkpoints WHERE {_TABLES}) AS stands
    LEFT JOIN (
        SELECT p.position, p.consumer, p.key, e.topic, e.recorded_at, p.cause, p.parked_at
        FROM parked_events AS p JOIN stored_events AS e ON e.notification_id = p.position
        WHERE {_TABLES} AND p.position >= $2 AND (p.position, p.consumer) > ($2, $3)
        ORDER BY p.position, p.consumer LIMIT $4
    ) AS parked ON true ORDER BY parked.position, parked.consumer
"""  # noqa: S608 - made of constants


async def parked_events(
    pool: Reading, name: str | None, *, after: tuple[int, str] | None = None, limit: int = 50
) -> ParkedEventPage:
    """What the read model of this name, or any, could not take: after a `next`, at most `limit` (and 200)."""
    limit = max(1, min(limit, MOST_EVENTS))
    rows = await pool.fetch(_QUESTION, name, *(after or (0, "")), limit + 1)
    items = [
        ParkedEventView(
            row["position"],
            row["consumer"],
            row["key"],
            row["topic"],
            row["recorded_at"],
            row["cause"],
            row["parked_at"],
        )
        for row in rows[:limit]
        if row["position"] is not None
    ]
    following = (items[-1].position, items[-1].table) if len(rows) > limit else None
    return ParkedEventPage(items, following, rows[0]["reached"])
