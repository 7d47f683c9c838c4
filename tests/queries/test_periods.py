"""Days, weeks and months."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.periods import MOST_DAYS, RangeRefused, beginning, following, periods, whole_range

TODAY = date(2026, 11, 25)
granularities = st.sampled_from(["day", "week", "month"])
days = st.dates(date(1, 1, 8), date(9998, 1, 1))


@given(days, granularities)
def test_a_day_lies_in_the_period_that_begins_before_it(day, granularity):
    begins = beginning(day, granularity)
    assert begins <= day < following(begins, granularity)
    assert beginning(begins, granularity) == begins
    assert beginning(following(begins, granularity), granularity) == following(begins, granularity)


@given(days, st.integers(0, MOST_DAYS), granularities)
def test_a_range_is_made_of_whole_periods_and_no_more_than_it_needs(first, length, granularity):
    end = first + timedelta(days=length)
    begins, ends = whole_range(first, end, granularity, TODAY)
    found = list(periods(begins, ends, granularity))
    assert bool(found) == bool(length)
    if found:
        assert begins <= first < following(found[0], granularity)
        assert found[-1] < end <= ends == following(found[-1], granularity)


@pytest.mark.parametrize(
    ("granularity", "begins", "count"),
    [("day", date(2026, 10, 27), 30), ("week", date(2026, 9, 7), 12), ("month", date(2025, 12, 1), 12)],
)
def test_without_a_range_it_is_the_latest_periods_up_to_today(granularity, begins, count):
    range_ = whole_range(None, None, granularity, TODAY)
    found = list(periods(*range_, granularity))
    assert (range_[0], len(found)) == (begins, count)
    assert found[-1] == beginning(TODAY, granularity)


@pytest.mark.parametrize(
    ("first", "end"),
    [
        (date(2026, 1, 2), date(2026, 1, 1)),
        (date(2020, 1, 1), date(2026, 1, 1)),
        (date(9999, 12, 1), date(9999, 12, 31)),
        (None, date(1, 1, 1)),
        (date(2026, 12, 1), None),
    ],
)
def test_a_range_that_is_none_is_refused(first, end):
    with pytest.raises(RangeRefused):
        whole_range(first, end, "month", TODAY)
