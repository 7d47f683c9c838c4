"""Cursors: where a page ended, sealed, and good for one caller and one list only."""

import base64
import binascii
import os
from typing import Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.reasons import InvalidCursor

__all__ = ["cursor", "read_cursor"]

_NONCE_BYTES: Final = 12
T = TypeVar("T")


def cursor(key: bytes, scope: tuple[str, ...], place: object) -> str:
    """The place as text that says nothing and cannot be altered; `scope` names the list, its filters and the caller.

    It is sealed, not only signed: places in lists of people hold their names, and URLs are written down on their way.
    """
    nonce = os.urandom(_NONCE_BYTES)
    box = AESGCM(key).encrypt(nonce, msgspec.msgpack.encode(place), msgspec.msgpack.encode(scope))
    return _text(nonce + box)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(key: bytes, scope: tuple[str, ...], text: str, kind: type[T]) -> T:
    """The place. Raises `InvalidCursor` for one that was altered, or made for another list or caller."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if _text(raw) != text:
            raise InvalidCursor
        packed = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], msgspec.msgpack.encode(scope))
        return msgspec.msgpack.decode(packed, type=kind)
    except (binascii.Error, ValueError, InvalidTag, msgspec.MsgspecError):
        raise InvalidCursor from None
