"""Changing several facts of a profile at once, all or nothing."""

from collections.abc import Iterator
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from commands.change_display_name import ChangeDisplayName
from commands.change_locale import ChangeLocale
from commands.change_picture import ChangePicture
from commands.change_time_zone import ChangeTimeZone
from commands.errors import NoSuchUser
from commands.unit import Unit
from commands.user import User
from events.user import UserEvent

__all__ = ["ChangeProfile"]


class ChangeProfile(Struct, frozen=True):
    """Have another name, locale, time zone or picture; what is not given stays, and null takes away."""

    user_id: UUID
    display_name: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    picture_url: str | UnsetType | None = UNSET

    def decide(self, user: User) -> list[UserEvent]:
        """One event for each fact that changes."""
        if not user.active:
            raise NoSuchUser
        return [event for command in self._commands() for event in command.decide(user)]

    def _commands(self) -> Iterator[ChangeDisplayName | ChangeLocale | ChangeTimeZone | ChangePicture]:
        if not isinstance(self.display_name, UnsetType):
            yield ChangeDisplayName(self.user_id, self.display_name)
        if not isinstance(self.locale, UnsetType):
            yield ChangeLocale(self.user_id, self.locale)
        if not isinstance(self.time_zone, UnsetType):
            yield ChangeTimeZone(self.user_id, self.time_zone)
        if not isinstance(self.picture_url, UnsetType):
            yield ChangePicture(self.user_id, self.picture_url)

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
