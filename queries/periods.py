"""Days, weeks and months of the calendar in UTC, for statistics; weeks begin on Monday (ISO 8601)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, Literal

__all__ = [
    "MOST_DAYS",
    "Granularity",
    "Range",
    "RangeRefused",
    "beginning",
    "following",
    "periods",
    "whole_range",
    "whole_weeks",
]

Granularity = Literal["day", "week", "month"]
Range = tuple[date, date]

MOST_DAYS: Final = 1096
"""Three years."""

USUAL: Final = {"day": 30, "week": 12, "month": 12}
ONE_DAY: Final = timedelta(days=1)


class RangeRefused(ValueError):
    """The range ends before it begins, is longer than three years, or ends where the calendar does."""


def beginning(day: date, granularity: Granularity) -> date:
    """The first day of the period in which a day lies."""
    if granularity == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if granularity == "month" else day


def following(begins: date, granularity: Granularity) -> date:
    """The first day of the next period. Raises OverflowError where there is none."""
    if granularity == "month":
        return beginning(begins + timedelta(days=31), "month")
    return begins + (7 if granularity == "week" else 1) * ONE_DAY


def periods(begins: date, ends: date, granularity: Granularity) -> Iterator[date]:
    """The first days of the periods from one day until before another; `begins` is the first day of one."""
    while begins < ends:
        yield begins
        begins = following(begins, granularity)


def whole_range(first: date | None, end: date | None, granularity: Granularity, today: date) -> Range:
    """The whole periods that days from `first` until before `end` lie in, as a half-open range of days.

    Without an end up to today, and without a first day the last 30 days, 12 weeks or 12 months. Raises `RangeRefused`.
    """
    try:
        end = today + ONE_DAY if end is None else end
        first = _usual_first(end, granularity) if first is None else first
        if first > end or (end - first).days > MOST_DAYS:
            raise RangeRefused
        begins = beginning(first, granularity)
        ends = beginning(end, granularity)
        return begins, ends if ends == end or first == end else following(ends, granularity)
    except OverflowError:
        raise RangeRefused from None


def whole_weeks(days: Range) -> Range:
    """The whole weeks that a range lies in. Raises OverflowError where the calendar ends."""
    begins, ends = (beginning(day, "week") for day in days)
    return begins, ends if ends == days[1] else following(ends, "week")


def _usual_first(end: date, granularity: Granularity) -> date:
    first = beginning(end - ONE_DAY, granularity)
    for _ in range(USUAL[granularity] - 1):
        first = beginning(first - ONE_DAY, granularity)
    return first
