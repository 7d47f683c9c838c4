"""What of a password is foreseen by whoever knows what many people choose, and whether enough is left to guess.

SP 800-63B has passwords compared with a list of common ones. Most of those have fewer than twelve characters, and a
longer password is often two of them, or one and a year. So a password is spelt out with as few unforeseen characters as
can be: something known (a common password, a year, a word of the person's own address) counts as three characters,
since 30,000 common passwords are about as many as the ways to put three letters; a run (`1234`, `qwerty`, `aaa`)
and what repeats an earlier part count as one; every other character counts as itself. Nine must be left. Three common
words are enough, two alone are not, and a passphrase may hold as many as it likes.
"""

import gzip
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["easy_to_guess"]

ENOUGH: Final = 9
KNOWN_COUNTS: Final = 3
RUN_COUNTS: Final = 1
SHORTEST_KNOWN: Final = 4
SHORTEST_RUN: Final = 3
LONGEST: Final = 20  # of the common passwords, and of runs
LOOKED_AT: Final = 48  # bounds the time; what begins with so many characters of little worth is no honest password

# The alphabet, digits, and the rows of QWERTY, QWERTZ and AZERTY; at last those above the digits, without @ and $.
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiop asdfghjkl zxcvbnm qwertzuiop yxcvbnm azertyuiop qsdfghjklm wxcvbn "
    "!#%^&*()_+"
)
_RUNS: Final = f"{_ROWS} {_ROWS[::-1]}"
_LIKE_LETTERS: Final = "@$"
_SUBSTITUTIONS: Final = (str.maketrans("@$01345789", "asoieastbg"), str.maketrans("@$01345789", "asoleastbg"))


def easy_to_guess(password: str, knowing: Iterable[str] = ()) -> bool:
    """Whether too little of the password is unforeseen, also by whoever knows the texts in `knowing`.

    Neither case, width, substituted letters (`p4$$word`) nor symbols in between hide anything. Takes less than a
    millisecond; the first call reads the list.
    """
    known = {part for text in knowing for part in _apart(text) if len(part) >= SHORTEST_KNOWN}
    return sum(_unforeseen(part, known) for part in _apart(password)) < ENOUGH


def _apart(text: str) -> tuple[str, str]:
    """Its letters and digits, and its symbols."""
    text = unicodedata.normalize("NFKC", text[:LOOKED_AT]).casefold()[:LOOKED_AT]
    symbols = [character for character in text if not (character.isalnum() or character in _LIKE_LETTERS)]
    return "".join(character for character in text if character not in symbols), "".join(symbols)


def _unforeseen(text: str, known: set[str]) -> int:
    """How many characters of it are unforeseen when it is spelt out with as few as can be; `ENOUGH` stands for more."""
    common = _common_passwords()
    readings = {text, *(text.translate(substitution) for substitution in _SUBSTITUTIONS)}
    lengths = sorted({*range(SHORTEST_KNOWN, LONGEST + 1), *map(len, known)})
    left = [0]  # at each position, of what stands before it
    for end in range(1, len(text) + 1):
        least = min(left[-1] + 1, ENOUGH)
        for start in range(end - SHORTEST_RUN, max(0, end - LONGEST) - 1, -1):
            if not _runs_or_repeats(text, start, end):
                break
            least = min(least, left[start] + RUN_COUNTS)
        for length in lengths:
            start = end - length
            if start < 0:
                break
            if left[start] + KNOWN_COUNTS < least:
                parts = {reading[start:end] for reading in readings}
                if not (common.isdisjoint(parts) and known.isdisjoint(parts)):
                    least = left[start] + KNOWN_COUNTS
        left.append(least)
    return left[-1]


def _runs_or_repeats(text: str, start: int, end: int) -> bool:
    part = text[start:end]
    return part in _RUNS or part in text[: end - 1] or part == part[0] * len(part)


@cache
def _common_passwords() -> frozenset[str]:
    """The list beside this file, which `common_passwords.NOTICE` is about, and the years from 1900 to 2099."""
    packed = Path(__file__).with_name("common_passwords.txt.gz").read_bytes()
    return frozenset((*gzip.decompress(packed).decode().split(), *(str(year) for year in range(1900, 2100))))
