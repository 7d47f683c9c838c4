"""How well two kinds of addresses can be told apart by how long answers take: the area under the ROC curve.

0.5 is a coin, 1 is certainty. The area is Mann and Whitney's U over the number of pairs: the chance that of one time
each, the second kind's is the longer, with ties as halves. Its standard error is DeLong's (1988), which holds for any
distribution, ties included.
"""

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

__all__ = ["Area", "area", "learnt_area"]

BINS: Final = 32


class Area(Struct, frozen=True):
    """An area under the curve and its standard error."""

    value: float
    error: float

    @property
    def either_way(self) -> "Area":
        """The same for whoever may also guess the other way round: never below a half."""
        return Area(max(self.value, 1 - self.value), self.error)

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {1.96 * self.error:.3f}"


def area(first: Sequence[float], second: Sequence[float]) -> Area:
    """What one threshold achieves: how often the second kind's is the longer time. Each has two times at least."""
    below = _placements(second, sorted(first))
    above = _placements(first, sorted(second))
    error = math.sqrt(statistics.variance(below) / len(second) + statistics.variance(above) / len(first))
    return Area(statistics.fmean(below), error)


def _placements(times: Sequence[float], others: Sequence[float]) -> list[float]:
    """For each time the share of the others, which are sorted, that are shorter; ties are halves."""
    return [(bisect_left(others, time) + bisect_right(others, time)) / 2 / len(others) for time in times]


def learnt_area(first: Sequence[float], second: Sequence[float]) -> Area:
    """What is achieved by whoever learns how times of each kind are distributed, in bins that are filled alike.

    No threshold finds a kind whose times are both shorter and longer than the other's, or that stand on other steps of
    a clock; this does. It learns from one half of the times and is judged by the other, in turn, so that chance alone
    gives a half, now a little more, now a little less.
    """
    folds = [
        _judged(first[learn::2], second[learn::2], first[1 - learn :: 2], second[1 - learn :: 2]) for learn in (0, 1)
    ]
    error = math.hypot(*(fold.error for fold in folds)) / 2
    return Area(statistics.fmean(fold.value for fold in folds), error)


def _judged(
    first: Sequence[float], second: Sequence[float], unseen_first: Sequence[float], unseen_second: Sequence[float]
) -> Area:
    """The area of the likelihood ratio that was learnt from two samples, on two that were not seen."""
    pooled = sorted((*first, *second))
    edges = sorted({pooled[len(pooled) * number // BINS] for number in range(1, BINS)})

    def densities(times: Sequence[float]) -> list[float]:
        counts = [1] * (len(edges) + 1)
        for time in times:
            counts[bisect_right(edges, time)] += 1
        return [count / (len(times) + len(counts)) for count in counts]

    ratios = [math.log(b / a) for a, b in zip(densities(first), densities(second), strict=True)]

    def scores(times: Sequence[float]) -> list[float]:
        return [ratios[bisect_right(edges, time)] for time in times]

    return area(scores(unseen_first), scores(unseen_second))
