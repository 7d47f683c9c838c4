"""Where each partition of each consumer of the log stands, and who holds it.

A partition is held by a session lock on one connection, so that it is free again the moment that its holder is gone.
Whatever is written on behalf of a partition is written in the transaction that moves its checkpoint from the position
that was read, so that even a holder that lost its lock unawares could apply nothing twice.
"""

import zlib
from collections.abc import Mapping
from typing import Final

import asyncpg
from msgspec import Struct

__all__ = [
    "FADES_SECONDS",
    "PREPARE_LOCK",
    "PROJECTED",
    "Checkpoint",
    "Overtaken",
    "begin_at",
    "lock_key",
    "prepare",
    "release",
    "take",
]

PROJECTED: Final = "projected"
PREPARE_LOCK: Final = 0x70726570

FADES_SECONDS: Final = 10.0
"""In so many seconds an event counts for 1/e of what it did, in what a partition took in `lately`."""


class Overtaken(Exception):
    """Someone else has moved this checkpoint, divided it anew or let another table serve: nothing was written."""


class Checkpoint(Struct, frozen=True):
    """Everything up to `position` that concerns this partition has been taken in.

    Some of what follows, up to `replayed_to`, may have been taken in too, before the partitions were divided anew. A
    table that served before `follows` the one that serves, and does not overtake it.
    """

    consumer: str
    partition: int
    partitions: int
    position: int
    replayed_to: int = 0
    follows: str | None = None

    @property
    def replaying(self) -> bool:
        """Whether the next events may be known to the rows."""
        return self.position < self.replayed_to


def lock_key(consumer: str) -> int:
    """The first half of the advisory lock of a consumer's partitions; the partition is the other."""
    return zlib.crc32(consumer.encode()) >> 1


async def prepare(connection: asyncpg.Connection, models: Mapping[str, int], reactions: Mapping[str, int]) -> None:
    """Make the checkpoints of consumers, given with their numbers of partitions. Safe to repeat, and to do twice at once.

    Read models begin at the log's beginning. Where the number of partitions is another than before, all begin at the
    least position of any, and keys pass over what their rows have. Reactions begin at the log's end, since what happened
    before they existed is not theirs to answer; but at its beginning where nothing was ever projected, because then
    this is a new installation whose first events came before its first worker.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PREPARE_LOCK)
        new = not await connection.fetchval("SELECT EXISTS (SELECT FROM checkpoints)")
        head = await connection.fetchval("SELECT coalesce(max(notification_id), 0) FROM stored_events")
        for consumer, partitions in models.items():
            await _divide(connection, consumer, partitions, 0)
        for consumer, partitions in reactions.items():
            await _divide(connection, consumer, partitions, 0 if new else head)


async def _divide(connection: asyncpg.Connection, consumer: str, partitions: int, start: int) -> None:
    rows = await connection.fetch(
        "SELECT partitions, position, replayed_to, follows FROM checkpoints WHERE consumer = $1 "
        "ORDER BY partition FOR UPDATE",
        consumer,
    )
    if [row["partitions"] for row in rows] == [partitions] * partitions:
        return
    await connection.execute("DELETE FROM checkpoints WHERE consumer = $1", consumer)
    await connection.execute(
        "INSERT INTO checkpoints (consumer, partition, partitions, position, replayed_to, follows) "
        "SELECT $1, number, $2, $3, $4, $5 FROM generate_series(0, $2 - 1) AS number",
        consumer,
        partitions,
        min((row["position"] for row in rows), default=start),
        max((max(row["position"], row["replayed_to"]) for row in rows), default=0),
        rows[0]["follows"] if rows else None,
    )
    await connection.execute(
        "UPDATE parked_events SET partition = get_byte(uuid_send(key), 15) % $2 WHERE consumer = $1",
        consumer,
        partitions,
    )
    await connection.execute(
        "UPDATE checkpoints SET parked = counted.parked FROM ("
        "SELECT partition, count(*) AS parked FROM parked_events WHERE consumer = $1 GROUP BY partition) AS counted "
        "WHERE consumer = $1 AND checkpoints.partition = counted.partition",
        consumer,
    )
    await connection.execute("SELECT pg_notify($1, $2)", PROJECTED, consumer)


async def begin_at(connection: asyncpg.Connection, consumer: str, partitions: int, position: int) -> None:
    """Make the checkpoints of a table that has everything up to a position, in the caller's transaction."""
    await connection.execute(
        "INSERT INTO checkpoints (consumer, partition, partitions, position) "
        "SELECT $1, number, $2, $3 FROM generate_series(0, $2 - 1) AS number",
        consumer,
        partitions,
        position,
    )
    await connection.execute("SELECT pg_notify($1, $2)", PROJECTED, consumer)


async def take(connection: asyncpg.Connection, consumer: str, partition: int) -> Checkpoint | None:
    """Hold a partition on this connection until `release`; None when someone else does, or there is none."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", lock_key(consumer), partition):
        return None
    row = await connection.fetchrow(
        "SELECT partitions, position, replayed_to, follows FROM checkpoints WHERE consumer = $1 AND partition = $2",
        consumer,
        partition,
    )
    if row is None:
        await release(connection, consumer, partition)
        return None
    return Checkpoint(consumer, partition, *row)


async def release(connection: asyncpg.Connection, consumer: str, partition: int) -> None:
    """Let go of a partition that `take` gave."""
    await connection.execute("SELECT pg_advisory_unlock($1, $2)", lock_key(consumer), partition)
