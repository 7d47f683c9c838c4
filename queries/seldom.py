"""Which part of a term is seldom, so that it is looked for by that part alone.

An index of trigrams has a list of texts for each. Those of what nearly everyone has, as `@example.com`, are as long as the
table, and a term with one of them has PostgreSQL go through it, however short the lists of the others are.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

__all__ = ["SAMPLE", "seldom_part"]

LENGTH: Final = 3
SAMPLE: Final = 200
"""Texts by which it is judged what is seldom."""
SELDOM: Final = 0.05
"""The part of them, at most, that has what is seldom."""


def seldom_part(term: str, texts: Sequence[str]) -> str:
    """The longest part of the term of which every three letters are seldom among the texts; all of it where none are.

    Whatever contains the term contains the part. With another sample it is another part, and what is found stays the same.
    """
    most = SELDOM * len(texts)
    threes = range(len(term) - LENGTH + 1)
    seldom = [sum(term[first : first + LENGTH] in text for text in texts) <= most for first in threes]
    runs = [list(run) for is_seldom, run in groupby(threes, seldom.__getitem__) if is_seldom]
    longest = max(runs, key=len, default=None)
    return term if longest is None else term[longest[0] : longest[-1] + LENGTH]
