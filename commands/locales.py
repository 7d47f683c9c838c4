"""What may be a locale: a language tag."""

import re
from itertools import pairwise
from typing import Final

from commands.errors import InvalidLocale

__all__ = ["PATTERN", "locale"]

PATTERN: Final = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
MOST_CHARACTERS: Final = 35
_TAG: Final = re.compile(PATTERN, re.ASCII)


def locale(text: str) -> str:
    """The tag in the case that RFC 5646 section 2.1.1 recommends: `zh-Hant-TW`. Raises `InvalidLocale`."""
    if len(text) > MOST_CHARACTERS or not _TAG.fullmatch(text):
        raise InvalidLocale
    subtags = text.lower().split("-")
    return "-".join([subtags[0], *(_cased(subtag, after) for after, subtag in pairwise(subtags))])


def _cased(subtag: str, after: str) -> str:
    if len(after) == 1:  # what follows a singleton stays as it is
        return subtag
    return {2: subtag.upper(), 4: subtag.title()}.get(len(subtag), subtag)
