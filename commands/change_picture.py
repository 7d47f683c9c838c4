"""Showing another picture."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchUser
from commands.pictures import picture_url
from commands.unit import Unit
from commands.user import User
from events.user import PictureChanged, UserEvent

__all__ = ["ChangePicture"]


class ChangePicture(Struct, frozen=True):
    """Show another picture, or none."""

    user_id: UUID
    picture_url: str | None

    def decide(self, user: User) -> list[UserEvent]:
        """The picture changes, unless it is that already."""
        if not user.active:
            raise NoSuchUser
        new = None if self.picture_url is None else picture_url(self.picture_url)
        return [] if user.picture_url == new else [PictureChanged(new)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
