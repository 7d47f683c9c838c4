"""Changing what is noted about a user: by the user in one compartment, by administrators in the other."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from commands.errors import NoSuchUser
from commands.metadata import merged, replaced
from commands.unit import Unit
from commands.user import User
from events.user import AdministratorsMetadataChanged, OwnMetadataChanged, UserEvent

__all__ = ["ChangeMetadata"]


class ChangeMetadata(Struct, frozen=True):
    """Merge entries (RFC 7396) into the user's own metadata or the administrators', or put them in place of all there are.

    A compartment that is not given stays as it is.
    """

    user_id: UUID
    own: Mapping[str, Any] | UnsetType = UNSET
    admin: Mapping[str, Any] | UnsetType = UNSET
    replace: bool = False

    def decide(self, user: User) -> list[UserEvent]:
        """One event for each compartment in which something changes."""
        if not user.active:
            raise NoSuchUser
        change = replaced if self.replace else merged
        events: list[UserEvent] = []
        if not isinstance(self.own, UnsetType) and (changes := change(user.own_metadata, self.own)):
            events.append(OwnMetadataChanged(changes))
        if not isinstance(self.admin, UnsetType) and (changes := change(user.administrators_metadata, self.admin)):
            events.append(AdministratorsMetadataChanged(changes))
        return events

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
