"""Having sent after all what was given up."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchDelivery
from commands.unit import Unit

__all__ = ["RedriveDelivery"]


class RedriveDelivery(Struct, frozen=True):
    """Have a delivery attempted again that was given up; one that was not stays as it is.

    A delivery is no history, and neither is this: the log says what called for it, and the delivery what became of it.
    """

    delivery_id: UUID

    async def perform(self, unit: Unit) -> bool:
        """Let it be due at once, whatever becomes of the rest; whether it had been given up. Raises `NoSuchDelivery`."""
        redriven = await unit.pool.fetch("SELECT redrive_deliveries(ARRAY[$1::uuid])", self.delivery_id)
        if not redriven and not await unit.pool.fetchval(
            "SELECT EXISTS (SELECT FROM deliveries WHERE id = $1)", self.delivery_id
        ):
            raise NoSuchDelivery
        return bool(redriven)
