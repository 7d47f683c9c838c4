"""Cursors: where a page ended, signed, and good for one caller and one list only."""

import base64
import binascii
import hmac
from typing import Final, TypeVar

import msgspec

from api.reasons import InvalidCursor

__all__ = ["cursor", "read_cursor"]

_MAC_BYTES: Final = 16
T = TypeVar("T")


def _mac(key: bytes, scope: tuple[str, ...], place: bytes) -> bytes:
    return hmac.digest(key, msgspec.msgpack.encode((scope, place)), "sha256")[:_MAC_BYTES]


def cursor(key: bytes, scope: tuple[str, ...], place: object) -> str:
    """The place as text that says nothing and cannot be altered; `scope` names the list, its filters and the caller."""
    packed = msgspec.msgpack.encode(place)
    return _text(_mac(key, scope, packed) + packed)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(key: bytes, scope: tuple[str, ...], text: str, kind: type[T]) -> T:
    """The place. Raises `InvalidCursor` for one that was altered, or made for another list or caller."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        mac, packed = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, _mac(key, scope, packed)) or _text(raw) != text:
            raise InvalidCursor
        return msgspec.msgpack.decode(packed, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidCursor from None
