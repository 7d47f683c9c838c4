"""Letting someone in again by the password alone who has lost whatever else is asked for."""

from uuid import UUID

from msgspec import Struct

from commands.drop_factors import drop_factors
from commands.errors import NoSuchUser
from commands.factors import removals
from commands.unit import Unit
from commands.user import User
from events.user import PasskeyRemoved, TotpRemoved

__all__ = ["RemoveFactors"]


class RemoveFactors(Struct, frozen=True):
    """Take every second factor from a user, and the recovery codes. The password stays, and is enough from now on."""

    user_id: UUID

    def decide(self, user: User) -> list[TotpRemoved | PasskeyRemoved]:
        """Each factor is removed, confirmed or not."""
        if not user.active:
            raise NoSuchUser
        return removals(user.factors)

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and drop what is kept."""
        user = await unit.user(self.user_id)
        removed = self.decide(user)
        unit.record_user(self.user_id, *removed)
        await drop_factors(unit, self.user_id, user.factors, removed)
