"""What may be a display name: harmless wherever it is shown or mailed."""

import unicodedata
from typing import Final

from commands.errors import InvalidDisplayName

__all__ = ["MOST_CHARACTERS", "display_name"]

MOST_CHARACTERS: Final = 100
MOST_MARKS_IN_A_ROW: Final = 4

# Controls, bidirectional and other invisible formatting, surrogates, unassigned, line and paragraph separators. The
# joiners are left, because names in several scripts are not spelt without them.
_REFUSED: Final = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_JOINERS: Final = "\u200c\u200d"


def display_name(text: str | None) -> str | None:
    """The name in NFC without white space around it. Raises `InvalidDisplayName`, saying what a name may be."""
    if text is None:
        return None
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= MOST_CHARACTERS:
        raise InvalidDisplayName
    marks = 0
    for character in name:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if (category in _REFUSED and character not in _JOINERS) or marks > MOST_MARKS_IN_A_ROW:
            raise InvalidDisplayName
    return name
