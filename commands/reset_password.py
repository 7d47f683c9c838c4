"""Choosing a new password by the link that was mailed."""

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, any_key
from commands.attempts import device_token, new_device
from commands.end_all_sessions import end_sessions
from commands.errors import LinkSpent
from commands.links import RESET_PASSWORD, read_link
from commands.passwords import acceptable
from commands.secrets import PASSWORD
from commands.unit import Unit
from commands.user import User
from events.user import EmailVerified, PasswordReset, UserEvent, UserUnlocked

__all__ = ["ResetDone", "ResetPassword"]


class ResetDone(Struct, frozen=True):
    """What the device is given that chose the new password, so that strangers cannot shut it out."""

    device: str


class ResetPassword(Struct, frozen=True):
    """Choose a new password. Every session ends; whoever registered the address before, and never proved it, is out."""

    token: str
    password: str

    def decide(self, user: User, answered_version: int) -> list[UserEvent]:
        """The password is another one; the link proves the address as well, and that it is no stranger who asks."""
        if not user.active or user.suspended or answered_version != user.reset_version:
            raise LinkSpent
        events: list[UserEvent] = [PasswordReset()]
        if not user.email_verified:
            events.append(EmailVerified())
        if user.locked_until is not None:
            events.append(UserUnlocked())
        return events

    async def perform(self, unit: Unit) -> ResetDone:
        """Check the link, keep the new hash, prove the address if it was not, and end the sessions."""
        link = read_link(unit.rules.links_key, RESET_PASSWORD, self.token, unit.now)
        user_id = link.stream_id
        user = await unit.user(user_id)
        events = self.decide(user, link.version)
        assert isinstance(user.email, str), "an account that is active has not been forgotten"
        new = acceptable(self.password, email=user.email)
        hashed = await unit.once("hash", lambda: unit.hasher.hash(new))
        unit.record_user(user_id, *events)
        key = any_key(unit.rules.claims_key, user.email)
        if not user.email_verified:
            unit.claim(EMAIL_SCOPE, key, expected=user_id, owner=user_id, proven=True)
        secret = await unit.secret(user_id, PASSWORD)
        await unit.keep_secret(user_id, PASSWORD, user_id, hashed.encode(), secret.revision if secret else 0)
        await end_sessions(unit, user_id)
        unit.pardon(key)
        return ResetDone(device_token(unit.rules.devices_key, user_id, new_device()))
