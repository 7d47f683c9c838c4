"""Password hashes from elsewhere: which are taken, and how dear they may be to verify.

A hash is taken as it is when it is well-formed, of a kind that `commands.passwords` verifies, and when that takes no more
than some seconds of one core and 256 MiB. At the next sign-in it is replaced by one of today's.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from commands.errors import InvalidPasswordHash

__all__ = ["MOST_CHARACTERS", "password_hash"]

MOST_CHARACTERS: Final = 512
MOST_MEBIBYTES: Final = 256
MOST_PASSES: Final = 1024
"""Over a mebibyte, for argon2 and scrypt."""
MOST_LANES: Final = 16
LEAST_LOG_ROUNDS: Final = 4
MOST_LOG_ROUNDS: Final = 15
"""Of bcrypt, whose cost is a power of two."""
MOST_ITERATIONS: Final = 3_000_000
"""Of PBKDF2."""
_NUMBER: Final = "([1-9][0-9]{0,9})"


def password_hash(text: str) -> str:
    """The hash as it is kept: without the words that Django puts before what it has of others.

    Raises `InvalidPasswordHash`, which never quotes it, for one of no known kind, and for one that is too dear.
    """
    if len(text) <= MOST_CHARACTERS:
        for django, kept in _OF_DJANGO:
            if text.startswith(django):
                text = kept + text.removeprefix(django)
        for kind in _KINDS:
            if (found := kind.form.fullmatch(text)) is not None:
                kind.check(*found.groups())
                return text
    raise InvalidPasswordHash


def _argon2(memory: str, passes: str, lanes: str) -> None:
    kibibytes = int(memory)
    if kibibytes < 8 * int(lanes):
        raise InvalidPasswordHash
    _bounded(kibibytes * 1024, int(passes), int(lanes))


def _scrypt(log_cost: str, block: str, lanes: str) -> None:
    if int(log_cost) >= 16 * int(block) or int(log_cost) > 40:
        raise InvalidPasswordHash
    _bounded((128 * int(block)) << int(log_cost), int(lanes), int(lanes))


def _bounded(memory: int, passes: int, lanes: int) -> None:
    """So many passes over so many bytes, on so many lanes at once."""
    if memory > MOST_MEBIBYTES << 20 or memory * passes > MOST_PASSES << 20 or lanes > MOST_LANES:
        raise InvalidPasswordHash(
            f"It would be too dear to verify this hash: argon2 and scrypt may take {MOST_MEBIBYTES} MiB, {MOST_PASSES} MiB "
            f"in all their passes, and {MOST_LANES} lanes."
        )


def _bcrypt(log_rounds: str) -> None:
    if int(log_rounds) < LEAST_LOG_ROUNDS:
        raise InvalidPasswordHash
    if int(log_rounds) > MOST_LOG_ROUNDS:
        raise InvalidPasswordHash(
            f"It would take too long to verify this hash: bcrypt may have a cost of {MOST_LOG_ROUNDS}."
        )


def _pbkdf2(iterations: str) -> None:
    if int(iterations) > MOST_ITERATIONS:
        raise InvalidPasswordHash(
            f"It would take too long to verify this hash: PBKDF2 may have {MOST_ITERATIONS:,} iterations."
        )


class _Kind(Struct, frozen=True):
    """The form of a kind of hash; its groups are what `check` is given, which raises for numbers that will not do."""

    form: re.Pattern[str]
    check: Callable[..., None]


def _kind(check: Callable[..., None], form: str) -> _Kind:
    return _Kind(re.compile(form, re.ASCII), check)


# Base64 without padding, whose last letter has no more bits than the last byte takes; a salt has eight bytes at least.
_LETTER, _LETTER_OF_PASSLIB = "[A-Za-z0-9+/]", "[A-Za-z0-9./]"
_OF_ONE_BYTE, _OF_TWO_BYTES = "[AQgw]", "[AEIMQUYcgkosw048]"


def _base64(least: int, most: int, letter: str = _LETTER) -> str:
    """So many times three bytes, and perhaps one or two more."""
    return f"(?:{letter}{{4}}){{{least},{most}}}(?:{letter}{_OF_ONE_BYTE}|{letter}{{2}}{_OF_TWO_BYTES})?"


_SALT: Final = f"(?={_LETTER}{{11}}){_base64(2, 32)}"
_DIGEST: Final = _base64(4, 32)
_SALT_OF_PASSLIB: Final = _base64(0, 32, _LETTER_OF_PASSLIB)

# bcrypt's own base64: the last letter of the salt has two bits, and that of the digest four.
_BCRYPT: Final = r"\$2[aby]\$([0-9]{2})\$[A-Za-z0-9./]{21}[.Oeu][A-Za-z0-9./]{30}[.CGKOSWaeimquy26]"

_KINDS: Final = (
    _kind(_argon2, rf"\$argon2(?:id|i|d)\$(?:v=(?:16|19)\$)?m={_NUMBER},t={_NUMBER},p={_NUMBER}\${_SALT}\${_DIGEST}"),
    _kind(_bcrypt, _BCRYPT),
    _kind(_bcrypt, rf"bcrypt_sha256\${_BCRYPT}"),
    _kind(_scrypt, rf"\$scrypt\$ln={_NUMBER},r={_NUMBER},p={_NUMBER}\${_SALT}\${_LETTER}{{42}}{_OF_TWO_BYTES}"),
    _kind(
        _pbkdf2,
        rf"\$pbkdf2-sha256\${_NUMBER}\${_SALT_OF_PASSLIB}\${_LETTER_OF_PASSLIB}{{42}}{_OF_TWO_BYTES}",
    ),
    _kind(_pbkdf2, rf"\$pbkdf2-sha512\${_NUMBER}\${_SALT_OF_PASSLIB}\${_LETTER_OF_PASSLIB}{{85}}{_OF_ONE_BYTE}"),
    _kind(_pbkdf2, rf"pbkdf2_sha256\${_NUMBER}\$[A-Za-z0-9]{{1,128}}\${_LETTER}{{42}}{_OF_TWO_BYTES}="),
)

_OF_DJANGO: Final = (("argon2$argon2", "$argon2"), ("bcrypt$$2", "$2"))
"""What Django puts before the hashes of other libraries, and what stands there without it."""
