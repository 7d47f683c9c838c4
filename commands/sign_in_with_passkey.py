"""Signing in with a passkey, which is two factors in one: something one has, that knows or recognises its holder."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands.ceremonies import answered, rp_id, user_handle_of
from commands.challenges import ANYONE, PASSKEY_SIGN_IN, Challenge, issue
from commands.errors import InvalidChallenge, InvalidPasskey, UnknownPasskey
from commands.factors import PASSKEY
from commands.passkey_options import RequestOptions, request_options
from commands.session import Session
from commands.signed_in import NOT_SIGNED_IN, SignedIn, begin_session
from commands.take_passkey import take_passkey
from commands.unit import Unit
from commands.user import User
from events.session import SessionStarted

__all__ = ["OfferPasskeySignIn", "SignInWithPasskey"]


class OfferPasskeySignIn(Struct, frozen=True):
    """Be told what a browser needs to sign in with a passkey. Nothing is recorded."""

    async def perform(self, unit: Unit) -> RequestOptions:
        """Name the session that may begin in a challenge, which is anyone's."""
        return request_options(
            rp_id(unit.rules.base_url), issue(unit, PASSKEY_SIGN_IN, Challenge(ANYONE, unit.new_id(), 0))
        )


class SignInWithPasskey(Struct, frozen=True):
    """Open a session with a passkey, without address and password; `device` is what this device was given before.

    A lock does not keep it out: that is about passwords, which can be guessed.
    """

    passkey: Mapping[str, Any]
    device: str | None = None

    def decide(self, user: User, session: Session) -> list[SessionStarted]:
        """The session starts, if it has not yet, and there is such an account. Raises `InvalidChallenge`, `UnknownPasskey`."""
        if session.version > 0:
            raise InvalidChallenge
        if not user.may_sign_in or not user.factors.passkeys or user.id is None:
            raise UnknownPasskey
        return [SessionStarted(user.id, PASSKEY)]

    async def perform(self, unit: Unit) -> SignedIn:
        """Find the account by what the passkey was told when it was made, and verify that it has signed the challenge."""
        try:
            token, challenge = answered(unit, PASSKEY_SIGN_IN, self.passkey)
            user_id = UUID(bytes=user_handle_of(self.passkey))
        except (InvalidPasskey, ValueError):
            raise UnknownPasskey from None
        session, user = await unit.session(challenge.opens), await unit.user(user_id)
        events = self.decide(user, session)
        if not await take_passkey(unit, user_id, self.passkey, token):
            unit.refuse(UnknownPasskey())
            return NOT_SIGNED_IN
        return await begin_session(unit, challenge.opens, user, events, self.device)
