"""Having a read model do without an event that it could not take."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchParkedEvent
from commands.projection import Decisions, parked_key
from commands.unit import Unit
from events.projection import ParkedEventDiscarded, ProjectionEvent

__all__ = ["DiscardParkedEvent"]


class DiscardParkedEvent(Struct, frozen=True):
    """Have the read model of this name do without the event at a position that it has parked, now and when it is built again.

    The later events of the same user are then tried. The log keeps the event, and other read models take it.
    """

    name: str
    position: int

    def decide(self, decisions: Decisions, key: UUID | None) -> list[ProjectionEvent]:
        """It is discarded, unless it is already. `key` is whose event lies parked there; raises `NoSuchParkedEvent` for None."""
        if self.position in decisions.discarded:
            return []
        if key is None:
            raise NoSuchParkedEvent
        return [ParkedEventDiscarded(self.name, self.position)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the read model's stream. Raises `NoSuchReadModel`, `NoSuchParkedEvent`."""
        key = await parked_key(unit.pool, self.name, self.position)
        decisions = await unit.decisions(self.name)
        unit.record_projection(self.name, key, *self.decide(decisions, key))
