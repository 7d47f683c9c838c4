"""Events that a read model could not take: laid aside with their cause, visible, while other keys go on."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from events.rows import OF_FACTS
from projections.checkpoints import Checkpoint
from projections.folding import Parked

__all__ = ["ViewParked", "blocked_keys", "park", "parked_rows", "unpark", "unpark_all"]


class ViewParked(Exception):
    """The view could not take something that happened to this user, and does not know how they are now."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


_ROWS: Final = f"""
    SELECT {OF_FACTS} FROM stored_events WHERE notification_id = ANY(ARRAY(
        SELECT position FROM parked_events WHERE consumer = $1 AND partition = $2 AND position > $3
            AND ($4::uuid IS NULL OR key = $4)
        ORDER BY position LIMIT $5
    )) ORDER BY notification_id
"""  # noqa: S608 - made of constants


async def blocked_keys(connection: asyncpg.Connection, checkpoint: Checkpoint) -> set[UUID]:
    """The keys of a partition that have parked events, and whose further events must therefore wait."""
    rows = await connection.fetch(
        "SELECT DISTINCT key FROM parked_events WHERE consumer = $1 AND partition = $2",
        checkpoint.consumer,
        checkpoint.partition,
    )
    return {row["key"] for row in rows}


async def park(connection: asyncpg.Connection, checkpoint: Checkpoint, parked: Sequence[Parked]) -> None:
    """Lay events aside; the cause of one that lies there already is brought up to date."""
    if parked:
        await connection.execute(
            "INSERT INTO parked_events AS old (consumer, partition, position, key, cause) "
            "SELECT $1, $2, * FROM unnest($3::bigint[], $4::uuid[], $5::text[]) "
            "ON CONFLICT (consumer, position) DO UPDATE SET cause = excluded.cause WHERE old.cause <> excluded.cause",
            checkpoint.consumer,
            checkpoint.partition,
            [event.position for event in parked],
            [event.key for event in parked],
            [event.cause for event in parked],
        )
        await _count(connection, checkpoint)


async def parked_rows(
    connection: asyncpg.Connection, checkpoint: Checkpoint, limit: int, after: int = 0, key: UUID | None = None
) -> list[Any]:
    """The first parked events of a partition after a position, of all keys or of one, as they stand in the log."""
    rows: list[Any] = await connection.fetch(_ROWS, checkpoint.consumer, checkpoint.partition, after, key, limit)
    return rows


async def unpark(connection: asyncpg.Connection, checkpoint: Checkpoint, positions: Sequence[int]) -> None:
    """Events that were taken after all, or discarded, lie aside no longer."""
    if positions:
        await connection.execute(
            "DELETE FROM parked_events WHERE consumer = $1 AND position = ANY($2)", checkpoint.consumer, positions
        )
        await _count(connection, checkpoint)


async def unpark_all(connection: asyncpg.Connection, checkpoint: Checkpoint, keys: Collection[UUID]) -> None:
    """Nothing of these keys lies aside any longer."""
    if keys:
        await connection.execute(
            "DELETE FROM parked_events WHERE consumer = $1 AND key = ANY($2)", checkpoint.consumer, list(keys)
        )
        await _count(connection, checkpoint)


async def _count(connection: asyncpg.Connection, checkpoint: Checkpoint) -> None:
    """Let the checkpoint tell how many there are, for everyone who reads it anyway."""
    await connection.execute(
        "UPDATE checkpoints SET parked = (SELECT count(*) FROM parked_events WHERE consumer = $1 AND partition = $2) "
        "WHERE consumer = $1 AND partition = $2",
        checkpoint.consumer,
        checkpoint.partition,
    )
