"""Challenges: signed tokens that say what was proved a moment ago, or is to be proved now, and of which nothing is kept.

Each is good once, and the log knows whether it was: it names a session that has not begun, or the version of something
that moves on when the challenge is met. Browsers sign the same bytes with passkeys.
"""

import struct
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.errors import InvalidChallenge
from commands.session import Session
from commands.signed_facts import decoded, signed, unsigned
from commands.unit import Unit
from commands.user import User

__all__ = [
    "ADD_PASSKEY",
    "ANYONE",
    "PASSKEY_SIGN_IN",
    "SECOND_STEP",
    "STEP_UP",
    "Challenge",
    "challenge_bytes",
    "challenge_token",
    "issue",
    "read_challenge",
]

SECOND_STEP: Final = "second-step"
"""The password was right; it names the session that may begin, and the version of the user at which that was so."""

PASSKEY_SIGN_IN: Final = "passkey-sign-in"
"""Nothing was proved yet; it names the session that may begin, whosever it will be."""

ADD_PASSKEY: Final = "add-passkey"
"""It names the passkey that may be added, and the version of the user at which it was asked for."""

STEP_UP: Final = "step-up"
"""It names a session that goes on, and the revision of what is kept of it."""

ANYONE: Final = UUID(int=0)

_FACTS: Final = struct.Struct(">16s16sQQ")


class Challenge(Struct, frozen=True):
    """To whom it was given, the id of what it is good for, and the version that must not have been left behind."""

    user_id: UUID
    opens: UUID
    version: int

    def holds(self, user: User, session: Session) -> bool:
        """Whether it opens its session still: that has not begun, and nothing has happened since that ends first steps."""
        return user.may_sign_in and session.version == 0 and self.version >= user.first_steps_end


def issue(unit: Unit, purpose: str, challenge: Challenge) -> tuple[str, int]:
    """The token of a challenge that is given now, and for how many seconds it is good."""
    seconds = unit.rules.second_step_minutes * 60
    return challenge_token(unit.rules.links_key, purpose, challenge, unit.now + timedelta(seconds=seconds)), seconds


def challenge_token(key: bytes, purpose: str, challenge: Challenge, expires_at: datetime) -> str:
    """The token of a challenge, in base64url. Precise to a second."""
    facts = _FACTS.pack(challenge.user_id.bytes, challenge.opens.bytes, challenge.version, int(expires_at.timestamp()))
    return signed(key, purpose, facts)


def challenge_bytes(token: str) -> bytes:
    """What browsers take for the challenge. Raises `InvalidChallenge` for what is no base64url."""
    raw = decoded(token)
    if raw is None:
        raise InvalidChallenge
    return raw


def read_challenge(key: bytes, purpose: str, token: str, now: datetime) -> Challenge:
    """The challenge of a token. Raises `InvalidChallenge` for another purpose, a forgery, and one that is too old."""
    facts = unsigned(key, purpose, token, _FACTS.size)
    if facts is None:
        raise InvalidChallenge
    user_id, opens, version, expires = _FACTS.unpack(facts)
    if now >= datetime.fromtimestamp(expires, UTC):
        raise InvalidChallenge
    return Challenge(UUID(bytes=user_id), UUID(bytes=opens), version)
