"""Being called something else."""

from uuid import UUID

from msgspec import Struct

from commands.display_names import display_name
from commands.errors import NoSuchUser
from commands.unit import Unit
from commands.user import User
from events.user import DisplayNameChanged, UserEvent

__all__ = ["ChangeDisplayName"]


class ChangeDisplayName(Struct, frozen=True):
    """Be called something else, or by no name."""

    user_id: UUID
    display_name: str | None

    def decide(self, user: User) -> list[UserEvent]:
        """The name changes, unless it is that already."""
        if not user.active:
            raise NoSuchUser
        name = display_name(self.display_name)
        if user.display_name == name:
            return []
        return [DisplayNameChanged(name)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
