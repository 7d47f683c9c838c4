"""Finds partitions that nobody holds, and holders that hold and do nothing: from locks and checkpoints, never from the queue."""

from collections.abc import Iterable
from typing import Final

import asyncpg

from events.connections import Reading
from projections.checkpoints import lock_key

__all__ = ["GAP_SECONDS", "end_stuck_holders", "holders", "unheld"]

STUCK_SECONDS: Final = 5.0
GAP_SECONDS: Final = 0.1
"""Between two slices nobody holds a partition for some milliseconds; what nobody holds twice in this time is lost."""

_LOCKS: Final = """
    SELECT pid, classid::bigint AS consumer, objid::bigint AS partition FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def unheld(connection: Reading, consumers: Iterable[str]) -> set[tuple[str, int]]:
    """The partitions of these consumers that nobody holds at this moment, for a moment or for good."""
    checkpoints = await connection.fetch(
        "SELECT consumer, partition FROM checkpoints WHERE consumer = ANY($1)", list(consumers)
    )
    held = {(lock["consumer"], lock["partition"]) for lock in await connection.fetch(_LOCKS)}
    return {
        (row["consumer"], row["partition"])
        for row in checkpoints
        if (lock_key(row["consumer"]), row["partition"]) not in held
    }


async def holders(connection: Reading) -> dict[tuple[int, int], str]:
    """Who holds what at this moment: the names of sessions by the halves of their locks, see `lock_key`."""
    rows = await connection.fetch(
        f"SELECT consumer, partition, application_name FROM ({_LOCKS}) AS held JOIN pg_stat_activity USING (pid)"  # noqa: S608 - made of constants
    )
    return {(row["consumer"], row["partition"]): row["application_name"] for row in rows}


async def end_stuck_holders(
    connection: asyncpg.Connection | asyncpg.Pool, consumers: Iterable[str], seconds: float = STUCK_SECONDS
) -> int:
    """End the sessions that hold a partition and have waited for their clients for so long; how many there were.

    A holder that lives asks at least once in a slice. One that does not is stopped, or its host is gone, and would keep
    its partition until somebody noticed. Whatever it had begun is rolled back; should it come back, it starts anew.
    """
    rows = await connection.fetch(
        f"WITH held AS ({_LOCKS}) "  # noqa: S608 - made of constants
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = current_user AND pid <> pg_backend_pid() "
        "AND (state LIKE 'idle%' OR wait_event IN ('ClientRead', 'ClientWrite')) "
        "AND state_change < clock_timestamp() - make_interval(secs => $1) "
        "AND pid IN (SELECT pid FROM held WHERE consumer = ANY($2::bigint[]))",
        seconds,
        [lock_key(consumer) for consumer in consumers],
    )
    return len(rows)
