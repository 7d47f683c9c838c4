"""Proving once more who one is, in a session that goes on: before what a stolen access token must not do."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from commands.authentication import PASSWORD
from commands.ceremonies import answered
from commands.challenges import STEP_UP, Challenge, challenge_token
from commands.errors import (
    InvalidChallenge,
    InvalidPasskey,
    NoSecondFactor,
    NoSuchSession,
    SecondFactorRequired,
    WrongSecondFactor,
)
from commands.present_password import verify_present_password
from commands.refresh_tokens import KIND, Family
from commands.second_factor import AT_STEP_UP, Given, take_second_factor
from commands.session import Session
from commands.signed_in import NOT_SIGNED_IN, SignedIn, authentication_of
from commands.unit import Rules, Unit
from commands.user import User
from events.connections import Reading
from events.session import SteppedUp

__all__ = ["StepUp", "note_step_up", "step_up_challenge"]

FACTOR_FIRST: Final = "This account has a second factor; it is asked for here, and the password is not enough."


class StepUp(Struct, frozen=True):
    """Prove once more who one is: with the password or, where there is a second factor, with that or a recovery code."""

    session_id: UUID
    holder: UUID
    password: str | None = None
    totp: str | None = None
    recovery_code: str | None = None
    passkey: Mapping[str, Any] | None = None

    def decide(self, user: User, session: Session, method: str) -> list[SteppedUp]:
        """The session's holder has proved it. Raises as `check`."""
        self.check(user, session)
        return [SteppedUp(method)]

    def check(self, user: User, session: Session) -> None:
        """Whether what is given can prove it at all. Raises `NoSuchSession`, `SecondFactorRequired`, `NoSecondFactor`."""
        if not session.lives_for(user):
            raise NoSuchSession
        if self.password is not None and user.factors.methods:
            raise SecondFactorRequired(methods=user.factors.steps, detail=FACTOR_FIRST)
        if self.password is None and not user.factors.methods:
            raise NoSecondFactor

    async def perform(self, unit: Unit) -> SignedIn:
        """Verify what is given, and keep with the session's refresh tokens when that was, and what."""
        session, user = await unit.session(self.session_id), await unit.user(self.holder)
        self.check(user, session)
        method = await self._verified(unit, user)
        if method is None:
            return NOT_SIGNED_IN
        return await _stepped_up(unit, self.session_id, user, session, self.decide(user, session, method))

    async def _verified(self, unit: Unit, user: User) -> str | None:
        if self.password is not None:
            await verify_present_password(unit, self.holder, self.password)
            return PASSWORD
        challenge = "" if self.passkey is None else await self._challenge(unit, self.passkey)
        given = Given(self.totp, self.recovery_code, self.passkey, challenge)
        return await take_second_factor(unit, self.holder, user, given, WrongSecondFactor(), AT_STEP_UP)

    async def _challenge(self, unit: Unit, passkey: Mapping[str, Any]) -> str:
        """The challenge that was given for this session as it is now: refreshed or stepped up, it needs another one."""
        secret = await unit.secret(self.session_id, KIND)
        try:
            token, challenge = answered(unit, STEP_UP, passkey)
        except (InvalidChallenge, InvalidPasskey):
            raise WrongSecondFactor from None
        if secret is None or challenge != Challenge(self.holder, self.session_id, secret.revision):
            raise WrongSecondFactor
        return token


async def note_step_up(unit: Unit, session_id: UUID, user: User, method: str) -> None:
    """Let what another command has verified count for the session in which it was asked. Raises `NoSuchSession`."""
    session = await unit.session(session_id)
    if not session.lives_for(user):
        raise NoSuchSession
    await _stepped_up(unit, session_id, user, session, [SteppedUp(method)])


async def _stepped_up(
    unit: Unit, session_id: UUID, user: User, session: Session, events: Sequence[SteppedUp]
) -> SignedIn:
    assert user.id is not None, "a session that lives is somebody's"
    secret = await unit.secret(session_id, KIND)
    if secret is None:
        raise NoSuchSession
    unit.record_session(session_id, user.id, *events)
    family = Family.from_bytes(secret.plain)
    for event in events:
        family = family.stepped_up(unit.now, event.method)
    await unit.keep_secret(session_id, KIND, user.id, family.to_bytes(), secret.revision)
    return SignedIn(user.id, session_id, "", user.roles, authentication=authentication_of(family, session, user))


async def step_up_challenge(
    pool: Reading, rules: Rules, user_id: UUID, session_id: UUID, now: datetime
) -> tuple[str, int]:
    """What a passkey has to sign to step up a session as it is now, and for how many seconds that is taken."""
    revision = await pool.fetchval("SELECT revision FROM secrets WHERE owner_id = $1 AND kind = $2", session_id, KIND)
    seconds = rules.second_step_minutes * 60
    challenge = Challenge(user_id, session_id, revision or 0)
    return challenge_token(rules.links_key, STEP_UP, challenge, now + timedelta(seconds=seconds)), seconds
