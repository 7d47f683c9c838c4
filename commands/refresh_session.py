"""Going on with a session: the refresh token is spent for its successor."""

from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from msgspec import Struct

from commands.errors import InvalidRefreshToken
from commands.refresh_tokens import GRACE, KIND, Family, Presented, read_token
from commands.secrets import Secret
from commands.session import Session
from commands.signed_in import SignedIn, authentication_of
from commands.unit import Unit
from events.session import RefreshTokenReused, SessionContinued, SessionEvent

__all__ = ["RefreshSession", "Verdict"]


class Verdict(Enum):
    """What a presented token is."""

    LIVING = "the one that lives: it is spent for the next"
    JUST_SPENT = "the one before, a moment ago: its answer was lost, and is given again"
    REUSED = "spent before: someone has a copy"


class RefreshSession(Struct, frozen=True):
    """Go on with a session. Reuse of a spent token ends the whole session, RFC 9700 section 4.14.2."""

    refresh_token: str

    def decide(self, session: Session, family: Family | None, presented: Presented, now: datetime) -> Verdict:
        """What the token is worth. Raises `InvalidRefreshToken` for one that never was this session's, or is too late."""
        if session.version == 0 or session.ended or family is None or not family.issued(presented):
            raise InvalidRefreshToken
        if presented.generation == family.generation:
            if now >= family.expires_at:
                raise InvalidRefreshToken
            return Verdict.LIVING
        lately = now <= family.rotated_at + GRACE
        if presented.generation == family.generation - 1 and lately:
            return Verdict.JUST_SPENT
        return Verdict.REUSED

    def decide_noted(self, session: Session, now: datetime) -> list[SessionEvent]:
        """What is recorded of a session that goes on: that it does, at most once a day (UTC)."""
        return [SessionContinued()] if session.seen_on is None or now.date() > session.seen_on else []

    async def perform(self, unit: Unit) -> SignedIn:
        """Rotate the family and note the day, give the lost answer again, or end the session."""
        presented = read_token(self.refresh_token)
        session_id = presented.session_id
        session = await unit.session(session_id)
        secret = await unit.secret(session_id, KIND)
        family = Family.from_bytes(secret.plain) if secret else None
        verdict = self.decide(session, family, presented, unit.now)
        assert family is not None
        assert secret is not None
        assert session.user_id is not None
        user = await unit.user(session.user_id)
        if not session.lives_for(user):
            raise InvalidRefreshToken
        if verdict is Verdict.REUSED:
            return self._end(unit, session_id, session.user_id, secret)
        if verdict is Verdict.LIVING:
            lifetime = timedelta(days=unit.rules.refresh_token_days)
            family = family.rotated(unit.now, lifetime, unit.client.address, unit.client.user_agent)
            await unit.keep_secret(session_id, KIND, session.user_id, family.to_bytes(), secret.revision)
            unit.record_session(session_id, session.user_id, *self.decide_noted(session, unit.now))
        authentication = authentication_of(family, session, user)
        return SignedIn(
            session.user_id, session_id, family.token(session_id), user.roles, authentication=authentication
        )

    def _end(self, unit: Unit, session_id: UUID, user_id: UUID, secret: Secret) -> SignedIn:
        unit.record_session(session_id, user_id, RefreshTokenReused())
        unit.drop_secret(secret)
        unit.refuse(InvalidRefreshToken())
        return SignedIn(user_id, session_id, "", frozenset())
