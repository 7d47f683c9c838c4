"""API keys: how one is written, and told from what is none without asking anyone.

A key reads `muster_ID_SECRET`: the id of its stream, 256 random bits, and a checksum of all before it, in base62, so that a
double click takes it whole and scanners find it wherever it was left. It is found by its id, and what is kept of it is a SHA-256.
"""

import hashlib
import re
import secrets
import string
import zlib
from typing import Final
from uuid import UUID

from msgspec import Struct

__all__ = ["KIND", "PATTERN", "PREFIX", "Presented", "made_key", "prefix_of", "read_key"]

KIND: Final = "api-key"
PREFIX: Final = "muster_"
PATTERN: Final = f"{PREFIX}[0-9A-Za-z]{{22}}_[0-9A-Za-z]{{49}}"
"""What a scanner for secrets looks for."""

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_ID: Final = 22
_SECRET: Final = 43
_CHECK: Final = 6
_BITS: Final = 256
_KEY: Final = re.compile(PATTERN, re.ASCII)


class Presented(Struct, frozen=True):
    """What someone presents for a key; of all this nothing is proved yet but that it is well-formed."""

    key_id: UUID
    hash: bytes


def made_key(key_id: UUID) -> tuple[str, bytes]:
    """A new key, and the hash by which it is known again."""
    body = f"{prefix_of(key_id)}_{_text(secrets.randbits(_BITS), _SECRET)}"
    key = body + _checksum(body)
    return key, _hash(key)


def prefix_of(key_id: UUID) -> str:
    """How a key begins: enough to tell which one it is, and nothing that opens anything."""
    return PREFIX + _text(key_id.int, _ID)


def read_key(text: str) -> Presented | None:
    """What a text presents; None for what cannot be a key. Each key is written in one way only."""
    if _KEY.fullmatch(text) is None:
        return None
    body, check = text[:-_CHECK], text[-_CHECK:]
    number = _number(text[len(PREFIX) : len(PREFIX) + _ID])
    if check != _checksum(body) or number >> 128:
        return None
    return Presented(UUID(int=number), _hash(text))


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _checksum(body: str) -> str:
    return _text(zlib.crc32(body.encode()), _CHECK)


def _text(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, value = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[value])
    return "".join(reversed(digits))


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number * len(_DIGITS) + _VALUES[digit]
    return number
