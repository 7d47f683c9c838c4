"""Thinking better of it: an erasure that was asked for is not to be done."""

from uuid import UUID

from msgspec import Struct

from commands.errors import InvalidLink, LinkSpent, NoSuchUser
from commands.links import WITHDRAW_ERASURE, read_link
from commands.unit import Unit
from commands.user import User
from events.user import ErasureWithdrawn, UserEvent

__all__ = ["WithdrawErasure", "WithdrawErasureByLink"]


class WithdrawErasure(Struct, frozen=True):
    """Keep the account after all."""

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """What was asked for is withdrawn, if anything was."""
        if not user.active:
            raise NoSuchUser
        return [] if user.erasure_due_at is None else [ErasureWithdrawn()]

    async def perform(self, unit: Unit) -> None:
        """Decide on the user's stream."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))


class WithdrawErasureByLink(Struct, frozen=True):
    """Keep the account after all, by the link that was mailed when its erasure was asked for."""

    user_id: UUID
    token: str

    def decide(self, user: User, answered_version: int) -> list[UserEvent]:
        """What was asked for at this version is withdrawn. Raises `LinkSpent`."""
        if not user.active or user.erasure_due_at is None or user.erasure_version != answered_version:
            raise LinkSpent
        return [ErasureWithdrawn()]

    async def perform(self, unit: Unit) -> None:
        """Check the link and decide on the user's stream."""
        link = read_link(unit.rules.links_key, WITHDRAW_ERASURE, self.token, unit.now)
        if link.stream_id != self.user_id:
            raise InvalidLink
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id), link.version))
