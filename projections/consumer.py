"""What goes through the log by partitions: read models, and reactions."""

from typing import Protocol

import asyncpg
from msgspec import Struct

from projections.checkpoints import Checkpoint
from projections.recent import Recent

__all__ = ["Consumer", "Step"]


class Step(Struct, frozen=True):
    """One step through the log: where the checkpoint is now, whether there is more, how many events concerned it.

    After `rests` seconds, where there are any, another step is to be done whether or not anything happens.
    """

    checkpoint: Checkpoint
    behind: bool
    events: int
    rests: float = 0


class Consumer(Protocol):
    """Goes through the log in steps, each of them one transaction; a partition is held on the connection meanwhile."""

    name: str

    async def begin(self, connection: asyncpg.Connection, checkpoint: Checkpoint) -> None:
        """To be done when a partition was taken, before its first step."""
        ...

    async def step(self, connection: asyncpg.Connection, checkpoint: Checkpoint, recent: Recent | None = None) -> Step:
        """Take in the next events of the partition and move its checkpoint. Raises `Overtaken` when others moved it.

        `recent` is given to partitions that have been at the log's end, which then need not ask for themselves.
        """
        ...
