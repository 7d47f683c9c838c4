"""What samples say: whether two kinds of addresses can be told apart by times or by bytes, and one table of it."""

import statistics
from itertools import combinations
from typing import Final, Literal

from msgspec import Struct

from tests.enumeration.classifiers import Area, area, learnt_area
from tests.enumeration.questions import UNKNOWN
from tests.enumeration.sampling import Samples

__all__ = ["GOAL", "Finding", "findings", "row", "table"]

GOAL: Final = 0.53
CHANCE: Final = 3.29
"""Standard errors from a half within which chance alone keeps an area 999 times of 1,000."""


class Finding(Struct, frozen=True):
    """Two kinds of addresses that one question was asked about, so many times each; without areas, times do not count."""

    question: str
    kinds: tuple[str, str]
    condition: str
    samples: tuple[int, int]
    medians: tuple[float, float]
    threshold: Area | None
    learnt: Area | None
    identical: bool

    @property
    def verdict(self) -> Literal["met", "missed", "unclear"]:
        """What becomes of the goal; `unclear` is what may be chance where there are too few samples (one in a thousand)."""
        areas = [measured for measured in (self.threshold and self.threshold.either_way, self.learnt) if measured]
        above = [measured for measured in areas if measured.value > GOAL]
        if not self.identical or any(measured.value - CHANCE * measured.error > 0.5 for measured in above):
            return "missed"
        return "unclear" if above else "met"


def findings(samples: Samples, condition: str, *, timed: bool = True) -> list[Finding]:
    """Each kind beside the unknown one, and those others that miss the goal: all of them would make a long table."""
    kinds: dict[str, list[str]] = {}
    for question, kind in samples.milliseconds:
        kinds.setdefault(question, []).append(kind)
    found = [
        _finding(samples, condition, question, pair, timed=timed)
        for question, names in sorted(kinds.items())
        for pair in combinations(sorted(names, key=lambda name: (name != UNKNOWN, name)), 2)
    ]
    return [one for one in found if UNKNOWN in one.kinds or one.verdict == "missed"]


def _finding(samples: Samples, condition: str, question: str, kinds: tuple[str, str], *, timed: bool) -> Finding:
    first, second = (samples.milliseconds[question, kind] for kind in kinds)
    answers = [samples.answers[question, kind].keys() for kind in kinds]
    return Finding(
        question,
        kinds,
        condition,
        (len(first), len(second)),
        (statistics.median(first), statistics.median(second)),
        area(first, second) if timed else None,
        learnt_area(first, second) if timed else None,
        identical=answers[0] == answers[1] and len(answers[0]) == 1,
    )


def table(found: list[Finding]) -> str:
    """The findings as a table in Markdown."""
    return "\n".join(
        [
            "| Question | Kinds | Samples | | Medians, ms | AUC by threshold | AUC by learning | Bytes alike | Goal |",
            "|---|---|---|---|---|---|---|---|---|",
            *map(row, found),
        ]
    )


def row(one: Finding) -> str:
    """A finding as a row of the table."""
    samples = " + ".join(f"{count:,}" for count in one.samples)
    medians = " / ".join(f"{median:.2f}" for median in one.medians)
    threshold = one.threshold.either_way if one.threshold else "–"
    identical = "yes" if one.identical else "**no**"
    verdict = "**missed**" if one.verdict == "missed" else one.verdict
    return (
        f"| {one.question} | {' / '.join(one.kinds)} | {samples} | {one.condition} | {medians} "
        f"| {threshold} | {one.learnt or '–'} | {identical} | {verdict} |"
    )
