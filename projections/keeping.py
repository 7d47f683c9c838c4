"""Keeps one table at the log's end for as long as it matters, beside whichever workers do that too, or without any."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from msgspec import Struct

from events.connections import connect, open_pool
from events.data_keys import FORGOTTEN_CHANNEL, DataKeys
from events.keys import local_keyring
from events.tail import Wakeups
from projections.engine import Projector
from projections.read_model import ReadModel
from projections.serving import positions
from projections.slices import PLANNED_ONCE, Slices

__all__ = ["Store", "kept_up"]

OTHERS_HOLD_SECONDS: Final = 0.1
TOGETHER: Final = 3
"""Connections for what partitions do together, beside one for each that is held."""


class Store(Struct, frozen=True):
    """The database as its projector reaches it, the reader's role (quoted), and the master keys, the present one first."""

    url: str
    reader: str
    master_keys: list[bytes]

    def __repr__(self) -> str:
        return f"Store for {self.reader}"


@asynccontextmanager
async def kept_up(store: Store, model: ReadModel[Any]) -> AsyncIterator[None]:
    """The partitions of the table that a model is on are held by turns while the context is open, as workers do."""
    keys = DataKeys(local_keyring(store.master_keys))
    projector = Projector(model, keys)
    async with AsyncExitStack() as stack:
        wakeups = Wakeups(lambda: connect(store.url, "muster keeper wakeups"))
        forgotten = Wakeups(lambda: connect(store.url, "muster keeper forgotten keys"), FORGOTTEN_CHANNEL)
        forgotten.on_announcement(keys.heard)
        for listening in (wakeups, forgotten):
            await listening.start()
            stack.push_async_callback(listening.stop)
        connection = await connect(store.url, "muster keeper")
        partitions = len(await positions(connection, model.consumer))
        await connection.close()
        pool = await open_pool(store.url, "muster keeper", partitions + TOGETHER, **PLANNED_ONCE)
        stack.push_async_callback(pool.close)
        slices = Slices(pool, wakeups, keys, lambda _consumer, _events: None)

        async def hold(partition: int) -> None:
            while not slices.stopping:
                if not await slices.hold(projector, partition):
                    await asyncio.sleep(OTHERS_HOLD_SECONDS)

        holding = [asyncio.create_task(hold(partition)) for partition in range(partitions)]
        try:
            yield
        finally:
            slices.stop()
            await asyncio.gather(*holding)
