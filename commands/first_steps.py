"""What the first step of a sign-in proves, signed and kept by nobody: that its bearer had the password a moment ago.

It names the one session that it may open. A session begins once, so that it is good for one: which other ends it had,
the log knows.
"""

import base64
import binascii
import hmac
import struct
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.errors import InvalidChallenge
from commands.session import Session
from commands.user import User

__all__ = ["FirstStep", "read_challenge"]

_PURPOSE: Final = b"second-step\0"
_FACTS: Final = struct.Struct(">16s16sQQ")
_MAC_BYTES: Final = 32


class FirstStep(Struct, frozen=True):
    """The user whose password was right, the session that may begin, and the version of the user at which that was so."""

    user_id: UUID
    session_id: UUID
    version: int

    def challenge(self, key: bytes, expires_at: datetime) -> str:
        """The token that shows it. Precise to a second."""
        facts = _FACTS.pack(self.user_id.bytes, self.session_id.bytes, self.version, int(expires_at.timestamp()))
        return base64.urlsafe_b64encode(facts + _mac(key, facts)).decode().rstrip("=")

    def holds(self, user: User, session: Session) -> bool:
        """Whether it opens the session still: it has not yet, and nothing has happened since that ends it."""
        return user.may_sign_in and session.version == 0 and self.version >= user.first_steps_end


def read_challenge(key: bytes, token: str, now: datetime) -> FirstStep:
    """What a token shows. Raises `InvalidChallenge` for a forgery, another kind of token, and one that is too old."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidChallenge from None
    facts, mac = raw[: _FACTS.size], raw[_FACTS.size :]
    if len(raw) != _FACTS.size + _MAC_BYTES or not hmac.compare_digest(mac, _mac(key, facts)):
        raise InvalidChallenge
    user_id, session_id, version, expires = _FACTS.unpack(facts)
    if now >= datetime.fromtimestamp(expires, UTC):
        raise InvalidChallenge
    return FirstStep(UUID(bytes=user_id), UUID(bytes=session_id), version)


def _mac(key: bytes, facts: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + facts, "sha256")
