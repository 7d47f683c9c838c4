"""Figures: rounds of ours and the peer's in turn, medians with their spread, and one table."""

import statistics
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from msgspec import Struct, field

__all__ = ["ROUNDS", "Figure", "Measured", "measure", "table"]

ROUNDS: Final = 5
Measure = Callable[[], Awaitable[float]]


class Measured(Struct, frozen=True):
    """The values of several rounds, in `unit`."""

    values: list[float]
    unit: str

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        low, high = min(self.values), max(self.values)
        return f"{_short(self.median)} {self.unit} ({_short(low)} to {_short(high)})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


class Figure(Struct):
    """One row of the table. `more_is_better` says which way the ratio goes; a goal is a bound of the ratio.

    `notes` are sentences to be read with it.
    """

    number: str
    what: str
    ours: Measured
    peer: Measured
    peer_name: str
    goal: float
    more_is_better: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Ours over the peer's for rates, the other way round for times that should be multiples below."""
        return self.ours.median / self.peer.median

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal if self.more_is_better else self.ratio <= self.goal


async def measure(measures: Mapping[str, Measure], rounds: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Each measure once a round, in turn, so that what slows the machine slows all of them alike."""
    values: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(1, rounds + 1):
        for name, take in measures.items():
            values[name].append(await take())
            tell(f"round {number} of {rounds}: {name}: {_short(values[name][-1])}")
    return values


def table(figures: list[Figure]) -> str:
    """The figures as a table in Markdown, and what is to be said of them below it."""
    rows = ["| # | Figure | Muster | Peer | Ratio | Goal | |", "|---|---|---|---|---|---|---|"]
    for figure in figures:
        sign = "≥" if figure.more_is_better else "≤"
        rows.append(
            f"| {figure.number} | {figure.what} | {figure.ours} | {figure.peer_name}: {figure.peer} "
            f"| {figure.ratio:.2f} × | {sign} {figure.goal:.3g} × | {'met' if figure.met else '**missed**'} |"
        )
    notes = [f"- {figure.number}: {note}" for figure in figures for note in figure.notes]
    return "\n".join([*rows, "", *notes] if notes else rows)
