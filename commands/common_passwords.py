"""What of a password is foreseen by whoever knows what many people choose, and whether enough is left to guess.

SP 800-63B has passwords compared with a list of common ones. Most of those have fewer than twelve characters, and a
longer password is often two of them, or one and a year. So a password is spelt out with as few unforeseen characters as
can be: something known (a common password, a year, a word of the person's own address) counts as three characters,
since 30,000 common passwords are about as many as the ways to put three letters; a run (`1234`, `qwerty`, `aaa`)
and what repeats an earlier part count as one; every other character counts as itself. Nine must be left. Three common
words are enough, two alone are not, and a passphrase may hold as many as it likes.
"""

import gzip
import re
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
_SYMBOL: Final = re.compile(r"[^\w@$]|_")  # those two are read as letters
_SUBSTITUTIONS: Final = (str.maketrans("@$01345789", "asoieastbg"), str.maketrans("@$01345789", "asoleastbg"))


def easy_to_guess(password: str, knowing: Iterable[str] = ()) -> bool:
    """Whether too little of the password is unforeseen, also by whoever knows the texts in `knowing`.

    Neither case, width, substituted letters (`p4$$word`) nor symbols in between hide anything. Takes less than a
    millisecond; the first call reads the list.
    """
    known: dict[str, tuple[str, ...]] = {}
    for part in {part for text in knowing for part in _apart(text) if len(part) >= SHORTEST_KNOWN}:
        _note(known, part)
    return sum(_unforeseen(part, known) for part in _apart(password)) < ENOUGH


def _note(words: dict[str, tuple[str, ...]], word: str) -> None:
    beginning = word[:SHORTEST_KNOWN]
    words[beginning] = (*words.get(beginning, ()), word)


def _apart(text: str) -> tuple[str, str]:
    """Its letters and digits, and its symbols."""
    text = text[:LOOKED_AT]
    if text.isascii() and text.isalnum():
        return text.lower(), ""
    text = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()[:LOOKED_AT]
    return _SYMBOL.sub("", text), "".join(_SYMBOL.findall(text))


def _unforeseen(text: str, known: dict[str, tuple[str, ...]]) -> int:
    """How many characters of it are unforeseen when it is spelt out with as few as can be; `ENOUGH` stands for more."""
    common = _common_passwords()
    readings = {text, *(text.translate(substitution) for substitution in _SUBSTITUTIONS)}
    length = len(text)
    left: list[int] = [*range(ENOUGH), *[ENOUGH] * length][: length + 1]  # at each position, of what stands before it
    for start in range(length):
        before = left[start]
        if before + 1 < left[start + 1]:
            left[start + 1] = before + 1
        if before + RUN_COUNTS >= ENOUGH:  # nothing that begins here makes it easier
            continue
        for end in range(start + SHORTEST_RUN, min(start + LONGEST, length) + 1):
            if not _runs_or_repeats(text, start, end):
                break
            left[end] = min(left[end], before + RUN_COUNTS)
        for reading in readings:
            beginning = reading[start : start + SHORTEST_KNOWN]
            for words in (common.get(beginning, ()), known.get(beginning, ())):
                for word in words:
                    if reading.startswith(word, start):
                        end = start + len(word)
                        left[end] = min(left[end], before + KNOWN_COUNTS)
    return left[-1]


def _runs_or_repeats(text: str, start: int, end: int) -> bool:
    part = text[start:end]
    return part in _RUNS or part in text[: end - 1] or part == part[0] * len(part)


@cache
def _common_passwords() -> dict[str, tuple[str, ...]]:
    """The list beside this file, which `common_passwords.NOTICE` is about, and the years from 1900 to 2099, by beginning."""
    packed = Path(__file__).with_name("common_passwords.txt.gz").read_bytes()
    words = {*gzip.decompress(packed).decode().split(), *(str(year) for year in range(1900, 2100))}
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        if SHORTEST_KNOWN <= len(word) <= LONGEST:
            _note(found, word)
    return found
