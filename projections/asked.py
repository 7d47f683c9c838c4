"""The rebuilds that workers are asked for: any of them takes one, and another goes on with it should that one end."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final

import structlog

from events.connections import Reading
from projections.anew import Unfoldable
from projections.causes import told
from projections.keeping import Store
from projections.read_model import ReadModel
from projections.rebuilding import BuiltWrongly, Rebuilding
from projections.rebuilds import RebuildUnderWay, to_do

__all__ = ["AskedFor"]

AGAIN_SECONDS: Final = 5.0
_log = structlog.get_logger()


class AskedFor:
    """What one worker does about them. Whether anybody does is known by a lock, and what is to be done by a row."""

    def __init__(self, store: Store, models: Mapping[str, ReadModel[Any]], partitions: int) -> None:
        """`models` by the names of their views."""
        self._store = store
        self._models = models
        self._partitions = partitions
        self._not_before: dict[str, float] = {}

    async def to_do(self, connection: Reading) -> list[str]:
        """The views that nobody builds now; not one that this worker has just failed at."""
        now = asyncio.get_running_loop().time()
        return [
            view for view in await to_do(connection, self._models.values()) if self._not_before.get(view, 0.0) <= now
        ]

    async def build(self, view: str) -> None:
        """Build the table of a view and let it serve, unless another worker does."""
        model = self._models.get(view)
        if model is None:
            return
        self._not_before[view] = asyncio.get_running_loop().time() + AGAIN_SECONDS
        try:
            rebuilding = Rebuilding(self._store, model, self._partitions, by_workers=True)
            table = await rebuilding.run(os.cpu_count() or 1)
            _log.info("view built", view=view, table=table)
        except RebuildUnderWay:
            pass
        except Unfoldable as stopped:
            _log.error("rebuild stopped", view=view, position=stopped.position, cause=stopped.cause)
        except BuiltWrongly as wrong:
            _log.error("rebuild stopped", view=view, cause=str(wrong))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is begun again from what the database has
            _log.warning("rebuild failed", view=view, error=told(error))
