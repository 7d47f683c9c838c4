"""Having a read model try again what it could not take."""

from uuid import UUID

from msgspec import Struct

from commands.projection import Decisions, taken_in
from commands.unit import Unit
from events.projection import ParkedEventsRetried, ProjectionEvent

__all__ = ["RetryParkedEvents"]


class RetryParkedEvents(Struct, frozen=True):
    """Have the parked events of a user tried again by the read model of this name, or (no `key`) all that it has."""

    name: str
    key: UUID | None = None

    def decide(self, decisions: Decisions, taken_in: int | None) -> list[ProjectionEvent]:
        """They are to be tried, unless nothing is parked, or a retry of them is still to be done.

        `taken_in` is how far the read model has come that parked them, None where nothing is parked.
        """
        asked = max(decisions.retried.get(None, 0), decisions.retried.get(self.key, 0))
        return [] if taken_in is None or asked > taken_in else [ParkedEventsRetried(self.name, self.key)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the read model's stream. Raises `NoSuchReadModel`."""
        position = await taken_in(unit.pool, self.name, self.key)
        decisions = await unit.decisions(self.name)
        unit.record_projection(self.name, self.key, *self.decide(decisions, position))
