"""Moves checkpoints: one in the transaction that writes what it stands for, one in the very statement, or many that are idle."""

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from events.connections import Reading
from projections.checkpoints import FADES_SECONDS, PROJECTED, Checkpoint, Overtaken

__all__ = ["move", "move_arguments", "move_idle", "move_with"]

_FADED: Final = f"lately * exp(least(extract(epoch FROM moved_at - clock_timestamp())::float8, 0) / {FADES_SECONDS})"

_MOVED: Final = f"""
    moved AS (
        UPDATE checkpoints SET position = $5, moved_at = clock_timestamp(), taken = taken + $8,
            lately = {_FADED} + $8
        WHERE consumer = $1 AND partition = $2 AND partitions = $3 AND position = $4
            AND follows IS NOT DISTINCT FROM $9
        RETURNING position
    ), told AS MATERIALIZED (
        SELECT CASE WHEN $6 THEN set_config('synchronous_commit', 'off', true) END,
               CASE WHEN $7 THEN pg_notify('{PROJECTED}', $1 || ':' || $2 || ':' || $5) END
        FROM moved
    )
"""  # noqa: S608 - made of constants
_MOVE: Final = f"WITH {_MOVED} SELECT * FROM told"  # noqa: S608 - made of constants


def move_with(statement: str, arguments: int) -> str:
    """A statement with so many arguments that moves a checkpoint as well; those of `move_arguments` come after its own.

    It joins `told`, which has one row, or none where the checkpoint is not where it was read: then it must do nothing.
    """
    moved = re.sub(r"\$(\d)", lambda number: f"${int(number[1]) + arguments}", _MOVED)
    return f"WITH {moved} {statement}"


def move_arguments(
    checkpoint: Checkpoint, position: int, *, taken: int = 0, lasting: bool = False, tell: bool = True
) -> tuple[Any, ...]:
    """The arguments that move a checkpoint, which `move` explains."""
    return (
        checkpoint.consumer,
        checkpoint.partition,
        checkpoint.partitions,
        checkpoint.position,
        position,
        not lasting,
        tell,
        taken,
        checkpoint.follows,
    )


async def move(
    connection: Reading,
    checkpoint: Checkpoint,
    position: int,
    *,
    taken: int = 0,
    lasting: bool = False,
    tell: bool = True,
) -> Checkpoint:
    """Move a checkpoint, in the transaction that writes what it stands for; `tell` announces it once that commits.

    `taken` is how many events that concern the partition lie between.

    Unless `lasting`, the transaction does not wait for the disk: should the server fail, the checkpoint and what was written
    with it are lost together and made again from the log. Raises `Overtaken` when it is not where it was read.
    """
    moved = await connection.fetch(
        _MOVE, *move_arguments(checkpoint, position, taken=taken, lasting=lasting, tell=tell)
    )
    if not moved:
        raise Overtaken(checkpoint.consumer)
    return replace(checkpoint, position=position)


_MOVE_IDLE: Final = f"""
    WITH asked AS (
        SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[], $6::text[])
            AS asked (consumer, partition, partitions, before, position, follows)
    ), free AS (
        SELECT checkpoints.consumer, checkpoints.partition, asked.position
        FROM checkpoints JOIN asked USING (consumer, partition)
        WHERE checkpoints.partitions = asked.partitions AND checkpoints.position = asked.before
            AND checkpoints.follows IS NOT DISTINCT FROM asked.follows
        ORDER BY checkpoints.consumer, checkpoints.partition FOR NO KEY UPDATE OF checkpoints SKIP LOCKED
    ), moved AS (
        UPDATE checkpoints SET position = free.position, moved_at = clock_timestamp(), lately = {_FADED}
        FROM free WHERE checkpoints.consumer = free.consumer AND checkpoints.partition = free.partition
        RETURNING checkpoints.*
    )
    SELECT consumer, partition, set_config('synchronous_commit', 'off', true),
        pg_notify('{PROJECTED}', consumer || ':' || partition || ':' || position)
    FROM moved
"""  # noqa: S608 - made of constants


async def move_idle(connection: Reading, moves: Sequence[tuple[Checkpoint, int]]) -> set[tuple[str, int]]:
    """Move checkpoints of different partitions past what does not concern them, and tell so; the partitions that were moved.

    The others were moved by someone else, or are being written to: they have to be moved one by one.
    """
    checkpoints = [checkpoint for checkpoint, _ in moves]
    rows = await connection.fetch(
        _MOVE_IDLE,
        [checkpoint.consumer for checkpoint in checkpoints],
        [checkpoint.partition for checkpoint in checkpoints],
        [checkpoint.partitions for checkpoint in checkpoints],
        [checkpoint.position for checkpoint in checkpoints],
        [position for _, position in moves],
        [checkpoint.follows for checkpoint in checkpoints],
    )
    return {(row["consumer"], row["partition"]) for row in rows}
