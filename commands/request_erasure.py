"""Asking to be erased oneself, after a time in which one may think better of it."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from commands.administrators import Administrators
from commands.erase_user import EraseUser
from commands.errors import NoSuchUser
from commands.last_administrator import removed
from commands.present_password import verify_present_password
from commands.roles import ADMINISTRATOR
from commands.unit import Unit
from commands.user import User
from events.administrators import AdministratorsEvent
from events.user import ErasureRequested, UserEvent

__all__ = ["CarryOutErasure", "RequestErasure"]


class RequestErasure(Struct, frozen=True):
    """Ask to be erased, with the present password. It is done after some days, of which a mail tells, or at once where none are set."""

    user_id: UUID
    password: str

    def decide(self, user: User, now: datetime, days: int) -> list[UserEvent]:
        """The erasure is due in some days, unless it was asked for before."""
        if not user.may_sign_in:
            raise NoSuchUser
        return [] if user.erasure_due_at is not None else [ErasureRequested(now + timedelta(days=days))]

    def decide_administrators(self, administrators: Administrators) -> list[AdministratorsEvent]:
        """The last administrator is told now, and not when it is due. Raises `LastAdministrator`."""
        return removed(administrators, self.user_id)

    async def perform(self, unit: Unit) -> None:
        """Check the present password and decide on the user's stream."""
        user = await unit.user(self.user_id)
        events = self.decide(user, unit.now, unit.rules.erasure_waiting_days)
        await verify_present_password(unit, self.user_id, self.password)
        if ADMINISTRATOR in user.roles:
            self.decide_administrators(await unit.administrators())
        if unit.rules.erasure_waiting_days == 0:
            await EraseUser(self.user_id).perform(unit)
        else:
            unit.record_user(self.user_id, *events)


class CarryOutErasure(Struct, frozen=True):
    """Erase a user who asked for it and has not thought better of it in time."""

    user_id: UUID

    def decide(self, user: User, now: datetime) -> bool:
        """Whether it is time."""
        return user.erasure_due_at is not None and now >= user.erasure_due_at

    async def perform(self, unit: Unit) -> bool:
        """Erase them; whether that was due."""
        due = self.decide(await unit.user(self.user_id), unit.now)
        if due:
            await EraseUser(self.user_id).perform(unit)
        return due
