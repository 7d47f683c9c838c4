"""Lets the table serve again that served before the last rebuild."""

import asyncio
from typing import Any, Final

from events.connections import connect
from projections.keeping import Store, kept_up
from projections.read_model import ReadModel
from projections.serving import NothingKept, is_near, kept_table, positions, serving_table, swap

__all__ = ["roll_back"]

LOOK_SECONDS: Final = 0.05
AGAIN_SECONDS: Final = 0.5


async def roll_back(store: Store, model: ReadModel[Any]) -> str:
    """The table that served before, which serves from now on; the other one is kept in turn. Raises `NothingKept`.

    It is projected until it has come up, by the workers or, where none runs, by this process.
    """
    connection = await connect(store.url, "muster rollback")
    try:
        table = await kept_table(connection, model)
        async with kept_up(store, model.on(table)):
            while True:
                serves = await serving_table(connection, model)
                end = max(await positions(connection, serves), default=0) if serves else 0
                if not is_near(min(await positions(connection, table), default=0), end):
                    await asyncio.sleep(LOOK_SECONDS)
                elif await swap(connection, model, table):
                    return table
                else:
                    await asyncio.sleep(AGAIN_SECONDS)
                if await kept_table(connection, model) != table:  # it was dropped, or somebody else was quicker
                    raise NothingKept
    finally:
        connection.terminate()
