"""Having a read model built anew."""

from msgspec import Struct

from commands.errors import NoSuchReadModel, RebuildUnderWay
from commands.unit import Unit

__all__ = ["RebuildReadModel"]


class RebuildReadModel(Struct, frozen=True):
    """Have the workers build the table of a read model anew, beside the one that serves, and let it serve then.

    What serves is no history, and neither is this: the rows are the same, unless they were wrong.
    """

    name: str
    version: int

    async def perform(self, unit: Unit) -> None:
        """Ask at once, whatever becomes of the rest. Raises `NoSuchReadModel`, `RebuildUnderWay`."""
        asked = await unit.pool.fetchval("SELECT ask_rebuild($1, $2)", self.name, self.version)
        if asked is None:
            raise NoSuchReadModel
        if not asked:
            raise RebuildUnderWay
