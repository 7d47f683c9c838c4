"""Signing in, the second step: the second factor, after the password."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from commands.attempts import STRANGERS, device_of
from commands.challenges import SECOND_STEP, Challenge, read_challenge
from commands.errors import InvalidChallenge, InvalidSecondFactor
from commands.second_factor import Given, take_second_factor
from commands.session import Session
from commands.signed_in import NOT_SIGNED_IN, SignedIn, begin_session, give_attempts_back
from commands.unit import Unit
from commands.user import User
from events.session import SessionStarted

__all__ = ["TakeSecondStep"]


class TakeSecondStep(Struct, frozen=True):
    """Open the session that the first step was for, with a code of an app, a passkey or a recovery code.

    `device` is what this device was given when it signed in before.
    """

    challenge: str
    totp: str | None = None
    recovery_code: str | None = None
    passkey: Mapping[str, Any] | None = None
    device: str | None = None

    def decide(self, user: User, session: Session, first: Challenge, method: str) -> list[SessionStarted]:
        """The session starts, if the first step holds. Raises `InvalidChallenge`."""
        self.check(user, session, first)
        return [SessionStarted(first.user_id, f"password+{method}")]

    def check(self, user: User, session: Session, first: Challenge) -> None:
        """Whether there is anything to open, before an attempt is spent on it. Raises `InvalidChallenge`."""
        if not first.holds(user, session):
            raise InvalidChallenge

    async def perform(self, unit: Unit) -> SignedIn:
        """Read the challenge, spend what is given, and begin the session that it names."""
        first = read_challenge(unit.rules.links_key, SECOND_STEP, self.challenge, unit.now)
        session = await unit.session(first.opens)
        user = await unit.user(first.user_id)
        self.check(user, session, first)
        given = Given(self.totp, self.recovery_code, self.passkey, self.challenge)
        known = device_of(unit.rules.devices_key, first.user_id, self.device) != STRANGERS
        method = await take_second_factor(unit, first.user_id, user, given, InvalidSecondFactor(), known=known)
        if method is None:
            return NOT_SIGNED_IN
        events = self.decide(user, session, first, method)
        await give_attempts_back(unit, user, self.device)
        return await begin_session(unit, first.opens, user, events, self.device)
