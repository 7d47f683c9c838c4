"""What samples say: whether two kinds of addresses can be told apart by times or by bytes, and one table of it."""

import statistics
from itertools import combinations
from typing import Final

from msgspec import Struct

from tests.enumeration.classifiers import Area, area, learnt_area
from tests.enumeration.questions import UNKNOWN
from tests.enumeration.sampling import Samples

__all__ = ["GOAL", "Finding", "findings", "table"]

GOAL: Final = 0.53


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
    def met(self) -> bool:
        """Whether they cannot be told apart, as far as the goal says."""
        by_time = max((measured.value for measured in (self._either_way, self.learnt) if measured), default=0.5)
        return self.identical and by_time <= GOAL

    @property
    def _either_way(self) -> Area | None:
        return self.threshold and self.threshold.either_way


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
    return [one for one in found if UNKNOWN in one.kinds or not one.met]


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
    rows = [
        "| Question | Kinds | Samples | | Medians, ms | AUC by threshold | AUC by learning | Bytes alike | Goal |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        samples = " + ".join(f"{count:,}" for count in one.samples)
        medians = " / ".join(f"{median:.2f}" for median in one.medians)
        rows.append(
            f"| {one.question} | {' / '.join(one.kinds)} | {samples} | {one.condition} | {medians} "
            f"| {one.threshold.either_way if one.threshold else '–'} | {one.learnt or '–'} "
            f"| {'yes' if one.identical else '**no**'} | {'met' if one.met else '**missed**'} |"
        )
    return "\n".join(rows)
