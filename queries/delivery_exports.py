"""Everything that reactions owe or owed at one moment, row by row. References only: nothing personal lies there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from projections.database import Statement
from queries.deliveries import deliveries_position, every_delivery
from queries.exports import DELIVERIES, Export, Field, NotYet, in_batches, kind_of

__all__ = ["exported_deliveries"]


@asynccontextmanager
async def exported_deliveries(connection: asyncpg.Connection, *, at_least: int = 0) -> AsyncIterator[Export]:
    """All deliveries as they are now, of the oldest events first, in one snapshot, for as long as the context is open.

    Raises `NotYet` when reactions are not at `at_least`.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        asked = every_delivery()
        position = await deliveries_position(connection)
        if position < at_least:
            raise NotYet(DELIVERIES, at_least, position)
        yield Export(
            DELIVERIES,
            tuple(Field(column.name, kind_of(column.type)) for column in asked.selected_columns),
            (),
            position,
            await connection.fetchval("SELECT count(*) FROM deliveries"),
            datetime.now(UTC),
            in_batches(connection, Statement(asked)),
        )
