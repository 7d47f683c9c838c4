"""Having sent after all what was given up."""

from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchDelivery
from commands.unit import Unit
from events.delivery import DeliveryRedriven

__all__ = ["RedriveDelivery"]

_DEAD: Final = "dead"


class RedriveDelivery(Struct, frozen=True):
    """Have a delivery attempted again that was given up; one that was not stays as it is."""

    delivery_id: UUID

    def decide(self, reaction: str, slot: str, position: int, *, was_dead: bool) -> list[DeliveryRedriven]:
        """That it is attempted again is a fact where it had been given up."""
        return [DeliveryRedriven(reaction, slot, position)] if was_dead else []

    async def perform(self, unit: Unit) -> bool:
        """Let it be due at once, and record that; whether it had been given up. Raises `NoSuchDelivery`.

        It is due before that is recorded: whatever is answered was done, and what was done is only then not in the log when
        nothing could be recorded any more.
        """
        found = await unit.pool.fetchrow(
            "SELECT subject_id, status, reaction, slot, position FROM deliveries WHERE id = $1", self.delivery_id
        )
        if found is None:
            raise NoSuchDelivery
        subject_id, status, *told = found
        was_dead = status == _DEAD if unit.rehearsing else await unit.once(self, lambda: self._redrive(unit))
        await unit.times_redriven(self.delivery_id)
        unit.record_delivery(self.delivery_id, subject_id, *self.decide(*told, was_dead=was_dead))
        return was_dead

    async def _redrive(self, unit: Unit) -> bool:
        return bool(await unit.pool.fetch("SELECT redrive_deliveries(ARRAY[$1::uuid])", self.delivery_id))
