"""Which counts of days, weeks and months are told where those of few people are not, so that none is found by subtracting.

A day is told unless its count is one of few people: it is hidden then. A week falls into parts, its days in one month
and those in the next. It is told where none of its parts hides few people. A month is told where the parts of its weeks
that are not told do not hide few people together.

So whatever is added and subtracted of what is told, it comes down to whole parts of weeks that are told and, for each
month, to all parts of the others together; and none of these hides few people.
"""

from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from itertools import groupby

from msgspec import Struct

from queries.periods import Granularity, beginning, following, periods

__all__ = ["Counted", "few", "one_each"]


def few(people: int, smallest: int) -> bool:
    """Whether so many are too few for their number to be told; nobody is not."""
    return 0 < people < smallest


def one_each(days: Mapping[date, int], smallest: int) -> dict[date, frozenset[Hashable]]:
    """Who is hidden of counts that have everyone once, on one day: as many as are counted on each day of few."""
    return {day: frozenset((day, one) for one in range(count)) for day, count in days.items() if few(count, smallest)}


class Counted(Struct, frozen=True):
    """What was counted on each day, and the people who are counted on those days that are hidden.

    To tell of a month it has to know all days of its weeks.
    """

    days: Mapping[date, int]
    hidden: Mapping[date, frozenset[Hashable]]
    smallest: int

    def told(self, period: date, granularity: Granularity) -> int | None:
        """The sum of a period, None where it is not told."""
        return (
            sum(self.days.get(day, 0) for day in _days(period, granularity))
            if self.tells(period, granularity)
            else None
        )

    def tells(self, period: date, granularity: Granularity) -> bool:
        """Whether the sum of a period is told."""
        match granularity:
            case "day":
                return period not in self.hidden
            case "week":
                parts = groupby(_days(period, "week"), lambda day: beginning(day, "month"))
                return not any(self._hides_few(part) for _, part in parts)
            case "month":
                days = _days(period, "month")
                return not self._hides_few(day for day in days if not self.tells(beginning(day, "week"), "week"))

    def _hides_few(self, days: Iterable[date]) -> bool:
        people = frozenset[Hashable]().union(*(self.hidden.get(day, ()) for day in days))
        return few(len(people), self.smallest)


def _days(period: date, granularity: Granularity) -> Iterable[date]:
    return periods(period, following(period, granularity), "day")
