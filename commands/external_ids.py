"""Ids that people had elsewhere: what may be one, and the claim on it, so that nobody is brought in twice."""

import hmac
import unicodedata
from typing import Final

from commands.errors import InvalidExternalId

__all__ = ["EXTERNAL_SCOPE", "MOST_CHARACTERS", "external_id", "external_key"]

EXTERNAL_SCOPE: Final = "external"
MOST_CHARACTERS: Final = 255

# Controls, invisible formatting, surrogates, unassigned and private characters, separators of lines and paragraphs.
_REFUSED: Final = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


def external_id(text: str) -> str:
    """The id in NFC; two are one when they are the same to the letter. Raises `InvalidExternalId`."""
    text = unicodedata.normalize("NFC", text)
    if not 1 <= len(text) <= MOST_CHARACTERS or text != text.strip():
        raise InvalidExternalId
    if not (text.isascii() and text.isprintable()) and any(unicodedata.category(one) in _REFUSED for one in text):
        raise InvalidExternalId
    return text


def external_key(secret: bytes, external: str) -> bytes:
    """The key under which it is claimed: an HMAC, as that of an address is."""
    return hmac.digest(secret, f"external\0{external}".encode(), "sha256")
