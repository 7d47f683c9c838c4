"""Letting others have an address that a user left long enough ago."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, any_key
from commands.unit import Unit
from commands.user import User
from events.user import FormerAddressReleased, UserEvent

__all__ = ["ReleaseFormerAddress"]


class ReleaseFormerAddress(Struct, frozen=True):
    """Free the addresses of a user whose change can be undone no longer."""

    user_id: UUID

    def decide(self, user: User, now: datetime, hours: int) -> list[UserEvent]:
        """Each is released whose time is over."""
        over = (one for one in user.former if now >= one.changed_at + timedelta(hours=hours))
        return [FormerAddressReleased(one.email) for one in over if user.active and isinstance(one.email, str)]

    async def perform(self, unit: Unit) -> bool:
        """Release them and their claims; whether there were any."""
        user = await unit.user(self.user_id)
        events = self.decide(user, unit.now, unit.rules.email_undo_hours)
        unit.record_user(self.user_id, *events)
        released = {event.email for event in events if isinstance(event, FormerAddressReleased)}
        still = {user.email, *(one.email for one in user.former)} - released
        kept = {any_key(unit.rules.claims_key, email) for email in still if isinstance(email, str)}
        for email in released:
            assert isinstance(email, str)
            key = any_key(unit.rules.claims_key, email)
            if key not in kept and await unit.owner(EMAIL_SCOPE, key) == self.user_id:
                unit.claim(EMAIL_SCOPE, key, expected=self.user_id, owner=None)
                kept.add(key)
        return bool(events)
