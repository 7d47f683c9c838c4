"""Failed sign-ins are counted beside the log, for addresses that nobody has like for those of accounts.

An attempt is reserved before the password is hashed, under a row's lock, so that guessing in parallel gains nothing. A
device that has signed in before shows it by a token and has a count of its own (OWASP, "device cookies"): strangers can
shut out strangers only.
"""

import base64
import binascii
import hmac
import os
from typing import Final
from uuid import UUID

from msgspec import Struct

from events.connections import Reading

__all__ = ["STRANGERS", "Attempt", "device_of", "device_token", "forget_attempts", "new_device", "reserve_attempt"]

STRANGERS: Final = b""
_DEVICE_BYTES: Final = 16
_MAC_BYTES: Final = 32


class Attempt(Struct, frozen=True):
    """An attempt at an address: the one of this `number` in its time, or (None) one too many, which must not be evaluated."""

    number: int | None
    most: int

    @property
    def reserved(self) -> bool:
        """Whether the password may be looked at."""
        return self.number is not None

    @property
    def last(self) -> bool:
        """Whether there is none after it, should it fail."""
        return self.number == self.most


async def reserve_attempt(pool: Reading, key: bytes, device: bytes, most: int, seconds: int) -> Attempt:
    """Take one of the attempts that an address has within some seconds; `device` is empty for strangers."""
    return Attempt(await pool.fetchval("SELECT reserve_attempt($1, $2, $3, $4)", key, device, most, seconds), most)


async def forget_attempts(pool: Reading, key: bytes, device: bytes | None = None) -> None:
    """Count anew what failed at an address: from one device or, with None, from all."""
    await pool.execute("SELECT forget_attempts($1, $2)", key, device)


def new_device() -> bytes:
    """What a device is called by from now on."""
    return os.urandom(_DEVICE_BYTES)


def device_token(secret: bytes, user_id: UUID, device: bytes) -> str:
    """What a device keeps that has signed in as this user. It opens nothing."""
    return base64.urlsafe_b64encode(device + _mac(secret, user_id, device)).decode().rstrip("=")


def device_of(secret: bytes, user_id: UUID, token: str | None) -> bytes:
    """The device that a token was given to, if it was for this user; that of strangers for any other."""
    if token is None:
        return STRANGERS
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return STRANGERS
    device, mac = raw[:_DEVICE_BYTES], raw[_DEVICE_BYTES:]
    known = len(raw) == _DEVICE_BYTES + _MAC_BYTES and hmac.compare_digest(mac, _mac(secret, user_id, device))
    return device if known else STRANGERS


def _mac(secret: bytes, user_id: UUID, device: bytes) -> bytes:
    return hmac.digest(secret, b"device\0" + user_id.bytes + device, "sha256")
