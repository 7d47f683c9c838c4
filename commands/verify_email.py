"""Proving an address by the link that was mailed to it: that of a registration, or the new one of a change."""

from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, any_key
from commands.errors import AddressTaken, InvalidLink, LinkSpent
from commands.links import VERIFY_EMAIL, read_link
from commands.register_user import supersede
from commands.unit import Unit
from commands.user import NOBODY, User
from events.user import EmailChanged, EmailVerified, UserEvent

__all__ = ["VerifyEmail"]


class VerifyEmail(Struct, frozen=True):
    """Prove that an address is one's own: the account's, or the one that was asked for in its place."""

    user_id: UUID
    token: str

    def decide(self, user: User, answered_version: int) -> list[UserEvent]:
        """The address is proved, once, and by the newest link only."""
        if not user.active or user.suspended:
            raise LinkSpent
        if not user.email_verified and answered_version == user.verification_version:
            return [EmailVerified()]
        if isinstance(user.new_email, str) and answered_version == user.change_version:
            return [EmailChanged(user.new_email)]
        raise LinkSpent

    def decide_change(self, owner: User) -> None:
        """Whoever has proved an address keeps it. Raises `AddressTaken`."""
        if owner.proved and owner.id != self.user_id:
            raise AddressTaken

    async def perform(self, unit: Unit) -> None:
        """Check the link, prove the address, and let its claim be proven; the former one stays claimed for a time."""
        link = read_link(unit.rules.links_key, VERIFY_EMAIL, self.token, unit.now)
        if link.stream_id != self.user_id:
            raise InvalidLink
        user = await unit.user(self.user_id)
        events = self.decide(user, link.version)
        unit.record_user(self.user_id, *events)
        assert isinstance(user.email, str), "an account that is active has not been forgotten"
        key = any_key(unit.rules.claims_key, user.email)
        if not isinstance(events[0], EmailChanged):
            unit.claim(EMAIL_SCOPE, key, expected=self.user_id, owner=self.user_id, proven=True)
            return
        assert isinstance(user.new_email, str)
        new_key = any_key(unit.rules.claims_key, user.new_email)
        await self._take(unit, new_key)
        if key != new_key:
            unit.claim(EMAIL_SCOPE, key, expected=self.user_id, owner=self.user_id, proven=False)

    async def _take(self, unit: Unit, key: bytes) -> None:
        owner_id = await unit.owner(EMAIL_SCOPE, key)
        owner = await unit.user(owner_id) if owner_id else NOBODY
        self.decide_change(owner)
        unit.claim(EMAIL_SCOPE, key, expected=owner_id, owner=self.user_id, proven=True)
        if owner_id and owner_id != self.user_id:
            await supersede(unit, owner_id, owner, self.user_id)
