"""Signing in with a password."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from commands.addresses import any_key
from commands.attempts import STRANGERS, device_of
from commands.challenges import SECOND_STEP, Challenge, issue
from commands.errors import InvalidCredentials, SecondFactorRequired
from commands.owners import owner_of
from commands.secrets import PASSWORD
from commands.signed_in import NOT_SIGNED_IN, SignedIn, begin_session, give_attempts_back
from commands.unit import Unit
from commands.user import Mail, User
from events.session import SessionStarted
from events.user import UserEvent, UserLocked, VerificationRequested

__all__ = ["SignIn"]

GONE: Final = "The hash of somebody's password is gone, and the log does not say that it was taken away."


class SignIn(Struct, frozen=True):
    """Open a session with an address and a password; `device` is what this device was given when it signed in before.

    Where a second factor is asked for, this is the first of two steps: nothing is opened, nothing is recorded, and the
    refusal holds what the second step begins with.
    """

    email: str
    password: str
    device: str | None = None

    def decide(self, user: User, *, matches: bool) -> list[SessionStarted]:
        """The session starts, if there is such an account, its address is proved and the password is right.

        Not yet where a second factor is asked for.
        """
        if not matches or not user.may_sign_in or user.id is None:
            raise InvalidCredentials
        return [] if user.factors.methods else [SessionStarted(user.id, "password")]

    def decide_refused(self, user: User, *, matches: bool, last: bool, now: datetime, minutes: int) -> list[UserEvent]:
        """What is recorded of a sign-in that is refused.

        Whoever knows the password of an unproved account is mailed the link again, within limits. The last attempt that
        strangers have shuts them out for some minutes.
        """
        if matches:
            waits = user.active and not user.email_verified and user.may_be_mailed(Mail.VERIFICATION, now)
            return [VerificationRequested()] if waits else []
        if last and user.may_sign_in and not user.locked(now):
            return [UserLocked(now + timedelta(minutes=minutes))]
        return []

    async def perform(self, unit: Unit) -> SignedIn:
        """Reserve an attempt, find the account by its claim and verify the password.

        All of it takes as long where there is no such account, or no attempt left. Raises ValueError where what is kept
        of the password is no hash, does not open, or is gone.
        """
        key = any_key(unit.rules.claims_key, self.email)
        user_id, user = await owner_of(unit, key)
        secret = await unit.secret(user_id, PASSWORD)
        device = device_of(unit.rules.devices_key, user_id, self.device)
        with unit.hasher.place() as place:
            attempt = await unit.reserve_attempt(key, device)
            shut_out = not attempt.reserved or (device == STRANGERS and user.locked(unit.now))
            hashed = secret.plain.decode() if secret and user.active and not shut_out else None
            verified = await unit.once(("verify", hashed), lambda: place.verify(self.password, hashed))
        kept = user.active and user.keeps_password and isinstance(user.email, str)
        if secret is None and kept and await unit.user(user_id) == user:
            raise ValueError(GONE)
        try:
            events = self.decide(user, matches=verified.matches)
        except InvalidCredentials as refusal:
            last = attempt.last and device == STRANGERS
            refused = self.decide_refused(
                user, matches=verified.matches, last=last, now=unit.now, minutes=unit.rules.lock_minutes
            )
            unit.record_user(user_id, *refused)
            unit.pretend()
            unit.refuse(refusal)
            return NOT_SIGNED_IN
        if verified.rehashed is not None and secret is not None:
            await unit.keep_secret(user_id, PASSWORD, user_id, verified.rehashed.encode(), secret.revision)
        session_id = unit.new_id()
        if not events:
            challenge, seconds = issue(unit, SECOND_STEP, Challenge(user_id, session_id, user.version))
            unit.refuse(SecondFactorRequired(challenge, user.factors.steps, seconds))
            return NOT_SIGNED_IN
        await give_attempts_back(unit, user, self.device)
        return await begin_session(unit, session_id, user, events, self.device)
