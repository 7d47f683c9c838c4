"""Recovery codes: for those who have lost their second factor, each good once."""

import base64
import hmac
import os
import re
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

__all__ = ["COUNT", "KIND", "RecoveryCodes"]

KIND: Final = "recovery-codes"
COUNT: Final = 10

_CODE_BYTES: Final = 10
_SALT_BYTES: Final = 16
_GROUP: Final = 4
_BETWEEN: Final = re.compile(r"[\s-]+")


class RecoveryCodes(Struct, frozen=True):
    """The hashes of those that are left. The codes are 80 random bits, which nobody guesses however quick the hash is."""

    salt: bytes
    hashes: tuple[bytes, ...]

    @classmethod
    def made(cls) -> "tuple[RecoveryCodes, tuple[str, ...]]":
        """New ones, and the codes as their owner is shown them, once."""
        codes = tuple(_text(os.urandom(_CODE_BYTES)) for _ in range(COUNT))
        salt = os.urandom(_SALT_BYTES)
        return cls(salt, tuple(_hash(salt, code) for code in codes)), codes

    def without(self, code: str) -> "RecoveryCodes | None":
        """What is left once a code was taken, however it is spaced and in capital or small letters; None for a wrong one."""
        given = _hash(self.salt, code)
        left = tuple(one for one in self.hashes if not hmac.compare_digest(one, given))
        return replace(self, hashes=left) if len(left) < len(self.hashes) else None

    def to_bytes(self) -> bytes:
        """What is sealed and kept."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "RecoveryCodes":
        """What `to_bytes` gave."""
        return msgspec.msgpack.decode(raw, type=cls)


def _text(raw: bytes) -> str:
    """In base32, whose letters and digits are not taken for each other, in groups."""
    text = base64.b32encode(raw).decode().lower()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def _hash(salt: bytes, code: str) -> bytes:
    return hmac.digest(salt, _BETWEEN.sub("", code).lower().encode(), "sha256")
