"""What may be a display name: harmless wherever it is shown or mailed."""

import unicodedata
from typing import Final

from commands.errors import InvalidDisplayName

__all__ = ["MOST_CHARACTERS", "display_name"]

MOST_CHARACTERS: Final = 100
MOST_MARKS_ON_A_LETTER: Final = 4
MOST_MARKS_IN_A_ROW: Final = 8
"""With those that take room of their own beside the letter: Burmese has six on one."""

# Controls, bidirectional and other invisible formatting, surrogates, unassigned, line and paragraph separators. The
# joiners are left, because names in several scripts are not spelt without them.
_REFUSED: Final = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_JOINERS: Final = "\u200c\u200d"
_BLANKS: Final = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and a symbol by their category, of which nothing is seen."""
_VIRAMA: Final = 9
"""The combining class of what takes a letter its vowel."""


def display_name(text: str | None) -> str | None:
    """The name in NFC without white space around it. Raises `InvalidDisplayName`, saying what a name may be."""
    if text is None:
        return None
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= MOST_CHARACTERS or not any(map(_is_seen, name)):
        raise InvalidDisplayName
    on_it = in_a_row = 0
    for before, character, after in zip(f" {name}", name, f"{name[1:]} ", strict=False):
        category = unicodedata.category(character)
        if character in _JOINERS:
            if not _joins(before, after):
                raise InvalidDisplayName
        elif category in _REFUSED:
            raise InvalidDisplayName
        elif category[0] == "M":
            in_a_row += 1
            on_it += category != "Mc"
        else:
            on_it = in_a_row = 0
        if on_it > MOST_MARKS_ON_A_LETTER or in_a_row > MOST_MARKS_IN_A_ROW:
            raise InvalidDisplayName
    return name


def _is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANKS


def _joins(before: str, after: str) -> bool:
    """Whether a joiner has letters or emoji on both sides, with or without marks; a virama ends a word with one (RFC 5892)."""
    if unicodedata.combining(before) == _VIRAMA:
        return True
    return all(unicodedata.category(one)[0] in "LMS" for one in (before, after))
