"""Proving an address by the link that was mailed to it."""

from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, address, claim_key
from commands.errors import InvalidLink, LinkSpent
from commands.links import VERIFY_EMAIL, read_link
from commands.unit import Unit
from commands.user import User
from events.user import EmailVerified, UserEvent

__all__ = ["VerifyEmail"]


class VerifyEmail(Struct, frozen=True):
    """Prove that the address of an account is one's own."""

    user_id: UUID
    token: str

    def decide(self, user: User, answered_version: int) -> list[UserEvent]:
        """The address is proved, once, and by the newest link only."""
        if not user.active or user.email_verified or answered_version != user.verification_version:
            raise LinkSpent
        return [EmailVerified()]

    async def perform(self, unit: Unit) -> None:
        """Check the link, prove the address, and let its claim be proven."""
        link = read_link(unit.rules.links_key, VERIFY_EMAIL, self.token, unit.now)
        if link.stream_id != self.user_id:
            raise InvalidLink
        user = await unit.user(self.user_id)
        unit.record_user(self.user_id, *self.decide(user, link.version))
        assert isinstance(user.email, str), "an account that is active has not been forgotten"
        key = claim_key(unit.rules.claims_key, address(user.email).canonical)
        unit.claim(EMAIL_SCOPE, key, expected=self.user_id, owner=self.user_id, proven=True)
