"""Codes of authenticator apps: TOTP (RFC 6238), with SHA-1, six digits and steps of thirty seconds, which all of them know."""

import base64
import hmac
import os
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct
from msgspec.structs import replace

__all__ = ["DIGITS", "KIND", "STEP_SECONDS", "AppSecret", "hotp", "otpauth_uri", "step_at"]

KIND: Final = "totp"
DIGITS: Final = 6
STEP_SECONDS: Final = 30
WINDOW: Final = 1
"""How many steps a clock may be ahead or behind."""

_SECRET_BYTES: Final = 20  # as many as SHA-1 gives, RFC 4226 section 4 (R6)


def hotp(secret: bytes, counter: int, digits: int = DIGITS) -> str:
    """The value of a counter, RFC 4226 section 5.3."""
    mac = hmac.digest(secret, counter.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


def step_at(moment: datetime) -> int:
    """The number of the step that a moment is in, RFC 6238 section 4.2."""
    return int(moment.timestamp()) // STEP_SECONDS


class AppSecret(Struct, frozen=True):
    """What is shared with an app, and the last step of which a code was taken."""

    secret: bytes
    last_step: int = 0

    @classmethod
    def made(cls) -> "AppSecret":
        """A new one."""
        return cls(os.urandom(_SECRET_BYTES))

    @property
    def text(self) -> str:
        """The secret in base32, as apps take it."""
        return base64.b32encode(self.secret).decode().rstrip("=")

    def is_code(self, code: str, now: datetime) -> bool:
        """Whether it is the code of this moment, give or take one step, taken before or not."""
        return self._step_of(code, now) > 0

    def taken(self, code: str, now: datetime) -> "AppSecret | None":
        """What is kept once the code was taken; None for a wrong one, and for one as old as, or older than, the last."""
        step = self._step_of(code, now)
        return replace(self, last_step=step) if step > self.last_step else None

    def _step_of(self, code: str, now: datetime) -> int:
        """The latest step near the moment that has this code; 0 for none. It takes as long for any code."""
        present, given, found = step_at(now), code.encode(), 0
        for step in range(present - WINDOW, present + WINDOW + 1):
            if hmac.compare_digest(hotp(self.secret, step).encode(), given):
                found = step
        return found

    def to_bytes(self) -> bytes:
        """What is sealed and kept."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "AppSecret":
        """What `to_bytes` gave."""
        return msgspec.msgpack.decode(raw, type=cls)


def otpauth_uri(secret: AppSecret, issuer: str, account: str) -> str:
    """What apps read out of a picture, in the form that Google Authenticator documents ("Key Uri Format")."""
    parameters = {
        "secret": secret.text,
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{urlencode(parameters, quote_via=quote)}"
