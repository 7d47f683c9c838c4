"""No told sum of days, weeks or months lets a hidden one be found."""

from collections.abc import Hashable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from queries.periods import Granularity, beginning, following, periods, whole_weeks
from queries.small_groups import Counted, few, one_each

FIRST = date(2026, 1, 26)
SPAN = 75
histories = st.dictionaries(
    st.integers(0, SPAN - 1).map(lambda after: FIRST + timedelta(days=after)), st.integers(0, 8), max_size=40
)
smallest_groups = st.integers(2, 7)


def of_people(days: dict[date, int], smallest: int) -> Counted:
    return Counted(days, one_each(days, smallest), smallest)


def days_of(period: date, granularity: Granularity) -> list[date]:
    return list(periods(period, following(period, granularity), "day"))


def told(counted: Counted, granularity: Granularity) -> Iterator[list[date]]:
    """The days of each week or month whose sum is told."""
    begins, ends = whole_weeks((beginning(FIRST, "month"), following(FIRST + timedelta(days=SPAN), "month")))
    for period in periods(beginning(begins, granularity), ends, granularity):
        if counted.told(period, granularity) is not None:
            yield days_of(period, granularity)


def rank(rows: list[list[int]]) -> int:
    """Of a matrix, by elimination."""
    left, found = [[Fraction(value) for value in row] for row in rows], 0
    while left and left[0]:
        pivot = next((row for row in left if row[0]), None)
        if pivot is None:
            left = [row[1:] for row in left]
            continue
        left.remove(pivot)
        left = [[value - row[0] / pivot[0] * by for value, by in zip(row[1:], pivot[1:], strict=True)] for row in left]
        found += 1
    return found


@given(histories, smallest_groups)
def test_no_hidden_day_follows_from_all_that_is_told(days, smallest):
    counted = of_people(days, smallest)
    hidden = sorted(counted.hidden)
    known = [[int(day in sum_) for day in hidden] for sum_ in chain(told(counted, "week"), told(counted, "month"))]
    for place in range(len(hidden)):
        asked = [int(other == place) for other in range(len(hidden))]
        assert rank([*known, asked]) == rank(known) + 1


@given(histories, smallest_groups)
def test_what_is_left_of_a_total_when_told_parts_are_subtracted_is_nothing_or_enough(days, smallest):
    counted = of_people(days, smallest)
    weeks = list(told(counted, "week"))
    for total in chain(weeks, told(counted, "month")):
        within = [week for week in weeks if week != total and set(week) <= set(total)]
        for some in chain.from_iterable(combinations(within, number) for number in range(len(within) + 1)):
            rest = {day for day in total if day in counted.hidden} - {day for week in some for day in week}
            assert not few(sum(days[day] for day in rest), smallest)


@given(histories, smallest_groups)
def test_a_sum_that_is_told_is_true_and_not_of_few(days, smallest):
    counted = of_people(days, smallest)
    for granularity in ("day", "week", "month"):
        for period in periods(beginning(FIRST, granularity), FIRST + timedelta(days=SPAN), granularity):
            count = counted.told(period, granularity)
            if count is not None:
                assert count == sum(days.get(day, 0) for day in days_of(period, granularity))
                assert not few(count, smallest)


@given(histories)
def test_without_a_smallest_group_everything_is_told(days):
    counted = of_people(days, 1)
    assert all(counted.tells(beginning(day, by), by) for day in days for by in ("day", "week", "month"))


def test_a_month_is_not_told_beside_the_week_that_would_leave_another_ones_few():
    days = {date(2026, 6, 1): 3, date(2026, 6, 3): 3, date(2026, 6, 10): 2}
    counted = of_people(days, 5)
    weeks = [counted.told(monday, "week") for monday in (date(2026, 6, 1), date(2026, 6, 8))]
    assert (weeks, counted.told(date(2026, 6, 1), "month")) == ([6, None], None)
    counted = of_people(days | {date(2026, 6, 20): 3}, 5)
    weeks = [counted.told(date(2026, 6, 1) + timedelta(weeks=after), "week") for after in range(3)]
    assert (weeks, counted.told(date(2026, 6, 1), "month")) == ([6, None, None], 11)


def test_a_week_in_two_months_is_not_told_where_one_of_them_would_leave_the_other_part():
    days = {date(2026, 6, 29): 2, date(2026, 7, 1): 4, date(2026, 7, 2): 4}
    counted = of_people(days, 5)
    assert counted.told(date(2026, 6, 29), "week") is None
    assert counted.told(date(2026, 6, 1), "month") is None
    assert counted.told(date(2026, 7, 1), "month") == 8


def test_it_is_people_who_are_counted_and_not_what_they_did():
    one, others = frozenset[Hashable]({"ada"}), frozenset[Hashable]({"grace", "mary"})
    days = {date(2026, 6, 1) + timedelta(days=after): 10 for after in range(5)}
    alone = Counted(days, dict.fromkeys(days, one), 3)
    assert [alone.told(date(2026, 6, 1), by) for by in ("day", "week", "month")] == [None, None, None]
    together = Counted(days, {**alone.hidden, date(2026, 6, 5): others}, 3)
    assert [together.told(date(2026, 6, 1), by) for by in ("day", "week", "month")] == [None, 50, 50]
