"""Lets the table serve again that served before the last rebuild."""

import asyncio
from typing import Any, Final

from events.connections import connect
from projections.keeping import Store, kept_up
from projections.read_model import ReadModel
from projections.serving import NothingKept, kept_table, swap

__all__ = ["roll_back"]

LOOK_SECONDS: Final = 0.05


async def roll_back(store: Store, model: ReadModel[Any]) -> str:
    """The table that served before, which serves from now on; the other one is kept in turn. Raises `NothingKept`.

    It is projected until it has come up, by the workers or, where none runs, by this process.
    """
    connection = await connect(store.url, "muster rollback")
    try:
        table = await kept_table(connection, model)
        async with kept_up(store, model.on(table)):
            while not await swap(connection, model, table):
                await asyncio.sleep(LOOK_SECONDS)
                if await kept_table(connection, model) != table:  # it was dropped, or somebody else was quicker
                    raise NothingKept
        return table
    finally:
        connection.terminate()
