"""Signing in with a password."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, address, claim_key
from commands.errors import InvalidAddress, InvalidCredentials
from commands.refresh_tokens import KIND, Family
from commands.secrets import PASSWORD
from commands.unit import Unit
from commands.user import NOBODY, User
from events.session import SessionStarted
from events.user import UserEvent, VerificationRequested

__all__ = ["SignIn", "SignedIn"]


class SignedIn(Struct, frozen=True):
    """A session's holder, and the one token with which the session can be refreshed."""

    user_id: UUID
    session_id: UUID
    refresh_token: str
    roles: frozenset[str]


class SignIn(Struct, frozen=True):
    """Open a session with an address and a password."""

    email: str
    password: str

    def decide(self, user: User, *, matches: bool) -> list[SessionStarted]:
        """The session starts, if there is such an account, its address is proved and the password is right."""
        if not matches or not user.may_sign_in or user.id is None:
            raise InvalidCredentials
        return [SessionStarted(user.id, "password")]

    def decide_unverified(self, user: User, now: datetime) -> list[UserEvent]:
        """Whoever knows the password of an unproved account is mailed the link again, within limits."""
        return [VerificationRequested()] if user.active and user.may_be_mailed(now) else []

    async def perform(self, unit: Unit) -> SignedIn:
        """Find the account by its claim and verify the password; both take as long where there is none."""
        owner_id = await self._owner(unit)
        user = await unit.user(owner_id) if owner_id else NOBODY
        secret = await unit.secret(owner_id, PASSWORD) if owner_id else None
        hashed = secret.plain.decode() if secret else None
        verified = await unit.once(("verify", hashed), lambda: unit.hasher.verify(self.password, hashed))
        if verified.matches and owner_id and user.active and not user.email_verified:
            unit.record_user(owner_id, *self.decide_unverified(user, unit.now))
            unit.refuse(InvalidCredentials())
            return SignedIn(owner_id, owner_id, "", frozenset())
        events = self.decide(user, matches=verified.matches)
        assert owner_id is not None
        if verified.rehashed is not None and secret is not None:
            await unit.keep_secret(owner_id, PASSWORD, owner_id, verified.rehashed.encode(), secret.revision)
        session_id = unit.new_id()
        family = Family.begun(unit.now, timedelta(days=unit.rules.refresh_token_days))
        unit.record_session(session_id, owner_id, *events)
        await unit.keep_secret(session_id, KIND, owner_id, family.to_bytes())
        return SignedIn(owner_id, session_id, family.token(session_id), user.roles)

    async def _owner(self, unit: Unit) -> UUID | None:
        try:
            canonical = address(self.email).canonical
        except InvalidAddress:
            return None
        return await unit.owner(EMAIL_SCOPE, claim_key(unit.rules.claims_key, canonical))
