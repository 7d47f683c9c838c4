"""The next events of a partition: those that concern it, and how far the log has been looked through for them."""

from typing import Any, Final

import asyncpg
from msgspec import Struct

from events.rows import OF_FACTS
from projections.checkpoints import Checkpoint
from projections.topics import known_topics

__all__ = ["MOST_EVENTS", "Concern", "Next", "next_events"]

MOST_EVENTS: Final = 5_000
"""Rows that one statement writes best; a batch is what has gathered since the last one, up to this."""

SPAN: Final = 50_000
"""How much of the log is looked through at once, so that a long stretch without concern is crossed in several steps."""

_QUESTION: Final = f"""
    SELECT log.head, log.head AS most, next.*
    FROM (SELECT coalesce(max(notification_id), 0) AS head FROM stored_events) AS log
    LEFT JOIN LATERAL (
        SELECT {OF_FACTS} FROM stored_events
        WHERE notification_id > $1 AND notification_id <= $1 + {SPAN}
            AND (topic = ANY($2) OR $3 AND topic <> ALL($4))
            AND (get_byte(uuid_send(subject_id), 15) % $5 = $6 OR subject_id IS NULL AND topic = ANY($2))
        ORDER BY notification_id LIMIT $7
    ) AS next ON true
    ORDER BY next.notification_id
"""  # noqa: S608 - made of constants

# The same for a table that does not overtake another one.
_BEHIND_ANOTHER: Final = (
    _QUESTION.replace("log.head AS most", "log.most")
    .replace(
        "FROM stored_events) AS log",
        """, (SELECT min(position) FROM checkpoints
        WHERE consumer = $8 AND (partition = $6 OR partitions <> $5)) AS most FROM stored_events) AS log""",
    )
    .replace(f"notification_id <= $1 + {SPAN}", f"notification_id <= least($1 + {SPAN}, log.most)")
)


class Concern(Struct, frozen=True):
    """What a consumer takes: events of these topics and, where `strange`, those about someone that this version does not know."""

    topics: frozenset[str]
    strange: bool = False


class Next(Struct, frozen=True):
    """Rows of the log, by the names of their columns; `position` is how far it was looked through, `behind` whether there is more.

    `held` is whether there is more that another table has to take in first.
    """

    rows: list[Any]
    position: int
    behind: bool
    held: bool = False


async def next_events(
    connection: asyncpg.Connection,
    checkpoint: Checkpoint,
    concern: Concern,
    limit: int = MOST_EVENTS,
    *,
    looked: int = 0,
) -> Next:
    """What follows a checkpoint and concerns it, in one question and so of one moment.

    Events about nobody concern all partitions. Up to `looked` there is nothing.
    """
    after = max(checkpoint.position, looked)
    follows = () if checkpoint.follows is None else (checkpoint.follows,)
    rows = await connection.fetch(
        _BEHIND_ANOTHER if follows else _QUESTION,
        after,
        list(concern.topics),
        concern.strange,
        known_topics() if concern.strange else [],
        checkpoint.partitions,
        checkpoint.partition,
        limit,
        *follows,
    )
    end = rows[0]["head"]
    head = end if rows[0]["most"] is None else min(end, rows[0]["most"])
    if rows[0]["notification_id"] is None:
        rows = []
    position = rows[-1]["notification_id"] if len(rows) == limit else min(head, after + SPAN)
    position = max(position, after)
    return Next(rows, position, position < head, position >= head < end)
