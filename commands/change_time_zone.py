"""Living by another clock."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchUser
from commands.time_zones import time_zone
from commands.unit import Unit
from commands.user import User
from events.user import TimeZoneChanged, UserEvent

__all__ = ["ChangeTimeZone"]


class ChangeTimeZone(Struct, frozen=True):
    """Live in another time zone, or leave open in which."""

    user_id: UUID
    time_zone: str | None

    def decide(self, user: User) -> list[UserEvent]:
        """The time zone changes, unless it is that already."""
        if not user.active:
            raise NoSuchUser
        new = None if self.time_zone is None else time_zone(self.time_zone)
        return [] if user.time_zone == new else [TimeZoneChanged(new)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
