"""Refresh tokens: opaque, single-use, rotated; what is kept of a session's family is one small sealed secret.

A token is a session id, a generation and an HMAC of both under the family's random seed. The seed and the living
generation are kept; a spent token is one of an earlier generation. The living token can be made again from what is
kept, so that an answer that was lost is answered alike, and there are never two that live.
"""

import base64
import binascii
import hmac
import os
import struct
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from commands.authentication import PASSWORD
from commands.errors import InvalidRefreshToken

__all__ = ["GRACE", "KIND", "Family", "Presented", "read_token"]

KIND: Final = "refresh"
GRACE: Final = timedelta(seconds=10)
"""How long the token before the living one is answered like it, for a client that lost the answer."""

_PARTS: Final = struct.Struct(">16sI32s")


class Presented(Struct, frozen=True):
    """The parts of a token that someone presents; nothing of it is proved yet."""

    session_id: UUID
    generation: int
    mac: bytes


class Family(Struct, frozen=True):
    """All refresh tokens of one session, of which one lives: that of `generation`.

    `address` and `user_agent` are the client's that began or last refreshed the session. Its holder proved at
    `authenticated_at`, by these `methods`, who they are; families of before version 0.2 do not know.
    """

    seed: bytes
    generation: int
    rotated_at: datetime
    expires_at: datetime
    address: str = ""
    user_agent: str = ""
    authenticated_at: datetime | None = None
    methods: tuple[str, ...] = (PASSWORD,)

    @classmethod
    def begun(
        cls,
        now: datetime,
        lifetime: timedelta,
        address: str = "",
        user_agent: str = "",
        methods: tuple[str, ...] = (PASSWORD,),
    ) -> "Family":
        """The family of a new session."""
        return cls(os.urandom(32), 1, now, now + lifetime, address, user_agent, now, methods)

    def stepped_up(self, now: datetime, method: str) -> "Family":
        """The family of a session whose holder has just proved more: the password alone, or a factor beside what came first."""
        methods = (method,) if method in (PASSWORD, self.methods[0]) else (self.methods[0], method)
        return replace(self, authenticated_at=now, methods=methods)

    def rotated(self, now: datetime, lifetime: timedelta, address: str = "", user_agent: str = "") -> "Family":
        """The family with its next token living."""
        return replace(
            self,
            generation=self.generation + 1,
            rotated_at=now,
            expires_at=now + lifetime,
            address=address,
            user_agent=user_agent,
        )

    def token(self, session_id: UUID) -> str:
        """The living token."""
        packed = _PARTS.pack(session_id.bytes, self.generation, self._mac(session_id, self.generation))
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def issued(self, presented: Presented) -> bool:
        """Whether a presented token was ever one of this family."""
        expected = self._mac(presented.session_id, presented.generation)
        return hmac.compare_digest(expected, presented.mac) and presented.generation <= self.generation

    def _mac(self, session_id: UUID, generation: int) -> bytes:
        return hmac.digest(self.seed, session_id.bytes + generation.to_bytes(4, "big"), "sha256")

    def to_bytes(self) -> bytes:
        """What is sealed and kept."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Family":
        """What `to_bytes` gave."""
        return msgspec.msgpack.decode(raw, type=cls)


def read_token(token: str) -> Presented:
    """The parts of a token. Raises `InvalidRefreshToken` for what cannot be one."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        session_id, generation, mac = _PARTS.unpack(raw)
    except (binascii.Error, ValueError, struct.error):
        raise InvalidRefreshToken from None
    return Presented(UUID(bytes=session_id), generation, mac)
