"""Granting and revoking roles; administrators are also in a stream of their own, so that one always remains."""

from uuid import UUID

from msgspec import Struct

from commands.administrators import Administrators
from commands.errors import AddressNotProved, NoSuchRole, NoSuchUser
from commands.last_administrator import removed
from commands.roles import ADMINISTRATOR, ROLES
from commands.unit import Unit
from commands.user import User
from events.administrators import AdministratorAdded, AdministratorsEvent
from events.user import RoleGranted, RoleRevoked, UserEvent

__all__ = ["GrantRole", "RevokeRole"]


class GrantRole(Struct, frozen=True):
    """Let a user have a role, and the permissions that it maps to."""

    user_id: UUID
    role: str

    def decide(self, user: User) -> list[UserEvent]:
        """The user has the role from now on, unless they had it."""
        if self.role not in ROLES:
            raise NoSuchRole
        if not user.active:
            raise NoSuchUser
        if self.role == ADMINISTRATOR and not user.email_verified:
            raise AddressNotProved
        return [] if self.role in user.roles else [RoleGranted(self.role)]

    def decide_administrators(self, administrators: Administrators) -> list[AdministratorsEvent]:
        """The administrators' own stream says who was added; whoever is suspended is, once they are reinstated."""
        return [] if self.user_id in administrators.ids else [AdministratorAdded(self.user_id)]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and on the administrators' where it is about them."""
        user = await unit.user(self.user_id)
        unit.record_user(self.user_id, *self.decide(user))
        if self.role == ADMINISTRATOR and not user.suspended:
            added = self.decide_administrators(await unit.administrators())
            unit.record_administrators(self.user_id, *added)


class RevokeRole(Struct, frozen=True):
    """Take a role from a user."""

    user_id: UUID
    role: str

    def decide(self, user: User) -> list[UserEvent]:
        """The user has the role no longer, unless they never had."""
        if self.role not in ROLES:
            raise NoSuchRole
        if not user.active:
            raise NoSuchUser
        return [RoleRevoked(self.role)] if self.role in user.roles else []

    def decide_administrators(self, administrators: Administrators) -> list[AdministratorsEvent]:
        """The administrators' own stream says who was removed; the last one stays."""
        return removed(administrators, self.user_id)

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and on the administrators' where it is about them."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
        if self.role == ADMINISTRATOR:
            removed = self.decide_administrators(await unit.administrators())
            unit.record_administrators(self.user_id, *removed)
