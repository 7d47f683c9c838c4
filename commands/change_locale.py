"""Reading another language."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchUser
from commands.locales import locale
from commands.unit import Unit
from commands.user import User
from events.user import LocaleChanged, UserEvent

__all__ = ["ChangeLocale"]


class ChangeLocale(Struct, frozen=True):
    """Be written to in another language, or leave open in which."""

    user_id: UUID
    locale: str | None

    def decide(self, user: User) -> list[UserEvent]:
        """The locale changes, unless it is that already."""
        if not user.active:
            raise NoSuchUser
        new = None if self.locale is None else locale(self.locale)
        return [] if user.locale == new else [LocaleChanged(new)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
