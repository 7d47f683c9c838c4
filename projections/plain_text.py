"""Text as it is searched and sorted, decided here and in Python only: databases differ in what they take for letters."""

import unicodedata
from typing import Final

__all__ = ["plain"]

FIRST_ACCENT, LAST_ACCENT = "\u0300", "\u036f"
DOTLESS_I: Final = "\u0131"


def plain(text: str) -> str:
    """The text without what people leave out when they look for it, each run of white space as one blank.

    Capital and small letters are one (`ß` and `ss` as well), letters with and without accents are one, `i` with and
    without its dot, and so are forms that differ in width or as ligatures. Marks of scripts that do not read without
    them stay. What nobody sees, as joiners, is left out.
    """
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        kept = "".join("i" if letter == DOTLESS_I else letter for letter in decomposed if not _is_left_out(letter))
        text = unicodedata.normalize("NFC", kept)
    return " ".join(text.lower().split())


def _is_left_out(letter: str) -> bool:
    return FIRST_ACCENT <= letter <= LAST_ACCENT or unicodedata.category(letter) == "Cf"
