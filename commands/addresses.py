"""The one canonicaliser of addresses: what counts as the same address is decided here, and in Python only."""

import hmac
import re
import unicodedata
from typing import Final

from email_validator import EmailNotValidError, validate_email
from msgspec import Struct

from commands.errors import InvalidAddress

__all__ = ["CANONICALISER", "EMAIL_SCOPE", "Address", "address", "any_key", "claim_key"]

CANONICALISER: Final = 1
EMAIL_SCOPE: Final = "email"


# What nearly all addresses look like, and what needs no closer look: letters, digits and `_+-.` before the sign, and a
# domain in lower case of labels without two hyphens in a row (IDNA), whose last is of letters and is none for special use.
_MOST_CHARACTERS: Final = 200
_PLAIN: Final = re.compile(
    r"([A-Za-z0-9_+-]{1,20}(?:\.[A-Za-z0-9_+-]{1,20}){0,2})@((?:[a-z0-9]{1,20}(?:-[a-z0-9]{1,20})?\.){1,4}"
    r"(?!(?:arpa|invalid|local|localhost|onion)$)[a-z]{2,20})",
    re.ASCII,
)


class Address(Struct, frozen=True):
    """An address as its owner writes it, to which mail goes, and the form in which two of them are compared."""

    written: str
    canonical: str


def address(text: str) -> Address:
    """The address that a text means. Raises `InvalidAddress` for anything that mail cannot be sent to.

    Two addresses are one when they agree in NFC and lower case, with the domain in its ASCII form (IDNA 2008, RFC 5891).
    Providers' own rules (dots, plus signs) are theirs to change and are left alone.
    """
    if len(text) <= _MOST_CHARACTERS and (plain := _PLAIN.fullmatch(text)) is not None:
        return Address(text, f"{plain[1].lower()}@{plain[2]}")
    return _any_address(text)


def _any_address(text: str) -> Address:
    try:
        # Nobody looks anything up: the mail that proves the address is the one proof of delivery. `.test` may be used.
        parsed = validate_email(text, check_deliverability=False, strict=True, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidAddress(f"{InvalidAddress.__doc__} {error}") from None
    if "." not in parsed.domain or parsed.local_part.startswith("=?"):
        raise InvalidAddress
    # Lower case, not case-folding: that would make one address of `ß` and `ss`, which are two.
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", parsed.local_part).lower())
    return Address(parsed.normalized, f"{local}@{parsed.ascii_domain.lower()}")


def claim_key(secret: bytes, canonical: str, realm: str = "") -> bytes:
    """The key under which an address is claimed: an HMAC, so that claims tell nothing to whoever reads the table."""
    return hmac.digest(secret, f"1\0{realm}\0{CANONICALISER}\0{canonical}".encode(), "sha256")


def any_key(secret: bytes, text: str) -> bytes:
    """The key of the address that a text means; one that nobody can claim for a text that means none."""
    try:
        return claim_key(secret, address(text).canonical)
    except InvalidAddress:
        return claim_key(secret, f"\0{text}")
