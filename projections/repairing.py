"""Puts right the rows of keys, under the locks of their partitions, so that live projection finds them as if it had made them."""

from collections.abc import Collection
from typing import Final, Generic, TypeVar
from uuid import UUID

import asyncpg

from events.discarded import discarded
from events.keys import MasterKey
from projections.anew import Anew
from projections.checkpoints import Overtaken, lock_key
from projections.moments import Moment
from projections.read_model import ReadModel, Row
from projections.rows import Rows

__all__ = ["Repairer"]

R = TypeVar("R", bound=Row)
LOCK_TIMEOUT: Final = "30s"


class Repairer(Generic[R]):
    """Writes the rows that the log makes, key by key, on a connection of its own with the projector's rights."""

    def __init__(self, model: ReadModel[R], master: MasterKey, connection: asyncpg.Connection) -> None:
        self._model = model
        self._master = master
        self._connection = connection
        self._rows = Rows(model)

    async def repair(self, keys: Collection[UUID]) -> int:
        """Make the rows of these keys what the log makes of them now; how many keys that was possible for.

        A partition stands still for as long as its keys take. Raises `Overtaken` when it is divided anew meanwhile, and
        asyncpg's `LockNotAvailableError` when whoever holds it does not let go.
        """
        partitions = await self._connection.fetchval(
            "SELECT count(*) FROM checkpoints WHERE consumer = $1", self._model.consumer
        )
        repaired = 0
        for partition in range(partitions):
            mine = [key for key in keys if key.bytes[15] % partitions == partition]
            if mine:
                repaired += await self._repair(partition, partitions, mine)
        return repaired

    async def _repair(self, partition: int, partitions: int, keys: Collection[UUID]) -> int:
        held = lock_key(self._model.consumer), partition
        await self._connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        await self._connection.execute("SELECT pg_advisory_lock($1, $2)", *held)
        try:
            async with self._connection.transaction():
                there = await self._connection.fetchval(
                    "SELECT partitions FROM checkpoints WHERE consumer = $1 AND partition = $2 FOR UPDATE",
                    self._model.consumer,
                    partition,
                )
                if there != partitions:
                    raise Overtaken(self._model.consumer)
                return await self._rewrite(keys)
        finally:
            await self._connection.execute("SELECT pg_advisory_unlock($1, $2)", *held)

    async def _rewrite(self, keys: Collection[UUID]) -> int:
        moment = await Moment.of(self._connection, self._model.consumer)
        passed_over = await discarded(self._connection, self._model.name)
        rows: list[R] = []
        rewritten: list[UUID] = []
        for key in keys:
            anew = Anew(self._model, self._master, until=moment.last(key), discarded=passed_over)
            folded = [one async for page in anew.keys(self._connection, UUID(int=key.int - 1), key) for one in page]
            if any(one.failure is not None for one in folded):
                continue
            rewritten.append(key)
            rows += (row for one in folded for row in one.rows)
        await self._rows.remove(self._connection, rewritten)
        await self._rows.write(self._connection, rows)
        return len(rewritten)
