"""Facts that we hand out and believe again when they come back: packed bytes with an HMAC, in base64url."""

import base64
import binascii
import hmac
from typing import Final

__all__ = ["decoded", "signed", "unsigned"]

_MAC_BYTES: Final = 32


def signed(key: bytes, purpose: str, facts: bytes) -> str:
    """A token of these facts, good for one purpose; the same facts give the same token."""
    return base64.urlsafe_b64encode(facts + _mac(key, purpose, facts)).decode().rstrip("=")


def unsigned(key: bytes, purpose: str, token: str, size: int) -> bytes | None:
    """The facts of a token, of so many bytes; None for a forgery, and for one of another purpose."""
    raw = decoded(token)
    if raw is None or len(raw) != size + _MAC_BYTES:
        return None
    facts, mac = raw[:size], raw[size:]
    return facts if hmac.compare_digest(mac, _mac(key, purpose, facts)) else None


def decoded(token: str) -> bytes | None:
    """The bytes of base64url without padding; None for what is none."""
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _mac(key: bytes, purpose: str, facts: bytes) -> bytes:
    return hmac.digest(key, purpose.encode() + b"\0" + facts, "sha256")
