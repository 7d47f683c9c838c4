"""Letting strange devices sign in again, after too many of them failed."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands.addresses import any_key
from commands.attempts import device_token, new_device
from commands.errors import InvalidLink, LinkSpent, NoSuchUser
from commands.links import UNLOCK, read_link
from commands.unit import Unit
from commands.user import User
from events.user import UserEvent, UserUnlocked

__all__ = ["LiftLock", "UnlockByLink", "UnlockUser", "Unlocked"]


class Unlocked(Struct, frozen=True):
    """What the device is given on which the owner opened the link, so that strangers cannot shut it out again."""

    device: str


class UnlockUser(Struct, frozen=True):
    """Let any device sign in again to a user's account."""

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """The lock is lifted, if there is one."""
        if not user.active:
            raise NoSuchUser
        return [UserUnlocked()] if user.locked_until is not None else []

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream, and count failed attempts anew."""
        user = await unit.user(self.user_id)
        unit.record_user(self.user_id, *self.decide(user))
        _count_anew(unit, user)


class UnlockByLink(Struct, frozen=True):
    """Let any device sign in again, by the link that was mailed to the owner when the account was locked."""

    user_id: UUID
    token: str

    def decide(self, user: User, answered_version: int) -> list[UserEvent]:
        """The lock that the link answers is lifted. Raises `LinkSpent` for an earlier one."""
        if not user.active or user.suspended or user.lock_version == 0 or answered_version != user.lock_version:
            raise LinkSpent
        return [UserUnlocked()]

    async def perform(self, unit: Unit) -> Unlocked:
        """Check the link, lift the lock, and know this device from now on."""
        link = read_link(unit.rules.links_key, UNLOCK, self.token, unit.now)
        if link.stream_id != self.user_id:
            raise InvalidLink
        user = await unit.user(self.user_id)
        unit.record_user(self.user_id, *self.decide(user, link.version))
        _count_anew(unit, user)
        return Unlocked(device_token(unit.rules.devices_key, self.user_id, new_device()))


class LiftLock(Struct, frozen=True):
    """Note that the time of a lock is over."""

    user_id: UUID

    def decide(self, user: User, now: datetime) -> list[UserEvent]:
        """The lock is lifted once its time is over."""
        over = user.active and user.locked_until is not None and not user.locked(now)
        return [UserUnlocked()] if over else []

    async def perform(self, unit: Unit) -> bool:
        """Decide on the user's stream; whether there was a lock to lift."""
        events = self.decide(await unit.user(self.user_id), unit.now)
        unit.record_user(self.user_id, *events)
        return bool(events)


def _count_anew(unit: Unit, user: User) -> None:
    if isinstance(user.email, str):
        unit.pardon(any_key(unit.rules.claims_key, user.email))
