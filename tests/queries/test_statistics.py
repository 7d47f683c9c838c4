"""Statistics, held against the same counted in the history that was written."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from events.session import SessionStarted
from events.user import EmailVerified, UserRegistered
from projections.read_model import Several
from projections.user_days import USER_DAYS, evolve
from queries.periods import Granularity, Range, beginning, following, periods, whole_range
from queries.statistics import Cohort, Retention, active_users, registrations, retention, sign_ins, verifications
from tests.queries.past import Fact, Past, crowd

GRANULARITIES: tuple[Granularity, ...] = ("day", "week", "month")
TODAY = datetime.now(UTC).date()


@pytest.fixture
async def past(log, partitioned) -> Past:
    made = crowd()
    await made.write(log)
    view = await partitioned(2, USER_DAYS)
    await view.catch_up()
    return made


def over(granularity: Granularity) -> Range:
    """The days of the history, in whole periods."""
    return whole_range(TODAY - timedelta(days=140), None, granularity, TODAY)


def told(count: int, smallest: int) -> int | None:
    return None if 0 < count < smallest else count


async def test_registrations_proofs_and_sign_ins_are_those_of_the_history(past, reader_pool):
    for granularity in GRANULARITIES:
        for ask, event, name in (
            (registrations, UserRegistered, "registrations"),
            (verifications, EmailVerified, "verifications"),
            (sign_ins, SessionStarted, "sign_ins"),
        ):
            series = await ask(reader_pool, over(granularity), granularity)
            counted = Counter(beginning(fact.day, granularity) for fact in past.of(event))
            assert {period: counts[name] for period, counts in series.counts.items() if counts[name]} == counted
            assert list(series.counts) == list(periods(*over(granularity), granularity))
            assert series.position == len(past.facts)


async def test_who_is_active_is_counted_once_in_a_period(past, reader_pool):
    for granularity in GRANULARITIES:
        series = await active_users(reader_pool, over(granularity), granularity)
        counted = Counter(period for _, period in {(user, beginning(day, granularity)) for user, day in past.seen})
        assert {period: counts["active_users"] for period, counts in series.counts.items()} == {
            period: counted[period] for period in periods(*over(granularity), granularity)
        }


@pytest.mark.parametrize("smallest", [1, 3])
async def test_cohorts_are_followed_up_to_now(past, reader_pool, smallest):
    for granularity in GRANULARITIES:
        found = await retention(reader_pool, over(granularity), granularity, 5, TODAY, smallest)
        assert (found.position, found.parked) == (len(past.facts), 0)
        assert [cohort.period for cohort in found.cohorts] == list(periods(*over(granularity), granularity))
        for cohort in found.cohorts:
            people = {user for user, at in past.people.items() if beginning(at.date(), granularity) == cohort.period}
            active = [
                len({user for user, day in past.seen if user in people and beginning(day, granularity) == age})
                for age in list(periods(cohort.period, TODAY + timedelta(days=1), granularity))[:5]
            ]
            assert cohort.size == told(len(people), smallest)
            assert cohort.active == [None if cohort.size is None else told(count, smallest) for count in active]


async def test_failures_are_counted_apart_and_never_negative(reader_pool, partitioned, database):
    await partitioned(1, USER_DAYS)
    await database.query(
        "INSERT INTO sign_in_counts VALUES ('2026-03-01', 1, 5, 2), ('2026-03-01', 2, 2, 0), ('2026-03-02', 1, 0, 1), "
        "('2026-03-04', 1, 1, 0)"
    )
    series = await sign_ins(reader_pool, (date(2026, 3, 1), date(2026, 3, 4)), "day")
    assert [counts["failures"] for counts in series.counts.values()] == [5, 0, 0]
    (week,) = (await sign_ins(reader_pool, (date(2026, 2, 23), date(2026, 3, 2)), "week")).counts.values()
    assert week["failures"] == 5


async def test_a_small_group_is_not_told_nor_found_by_subtraction(reader_pool, log, partitioned):
    monday = date(2026, 3, 2)
    counts = {0: 3, 1: 1, 3: 2, 7: 5, 8: 1}
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    facts = [
        Fact(now + timedelta(days=after), uuid7(), UserRegistered("x@example.com"))
        for after, count in counts.items()
        for _ in range(count)
    ]
    await Past(facts).write(log)
    view = await partitioned(1, USER_DAYS)
    await view.catch_up()
    over = (monday, monday + timedelta(days=14))
    daily = await registrations(reader_pool, over, "day", 3)
    shown = [counts["registrations"] for counts in daily.counts.values()]
    assert shown == [3, None, 0, None, 0, 0, 0, 5, None, 0, 0, 0, 0, 0]
    weekly = await registrations(reader_pool, over, "week", 3)
    # In the first week two small days hide each other; in the second one a single day would be the difference.
    assert [counts["registrations"] for counts in weekly.counts.values()] == [6, None]


async def test_where_nothing_happened_it_is_zero(reader_pool, partitioned):
    await partitioned(1, USER_DAYS)
    over = (date(2026, 3, 1), following(date(2026, 3, 1), "day"))
    assert (await registrations(reader_pool, over, "day")).counts == {date(2026, 3, 1): {"registrations": 0}}
    cohorts = [Cohort(date(2026, 3, 1), 0, [0])]
    assert await retention(reader_pool, over, "day", 1, date(2026, 3, 1)) == Retention(cohorts, 0, 0)


async def test_tells_how_many_events_could_not_be_taken_in(reader_pool, log, partitioned, monkeypatch):
    def tripping(rows, recorded):
        assert not isinstance(recorded.event, EmailVerified)
        return evolve(rows, recorded)

    monkeypatch.setattr(USER_DAYS, "evolve", Several(tripping, closed_by="next_on"))
    view = await partitioned(2, USER_DAYS)
    for number in range(6):
        await log.add(uuid7(), UserRegistered(f"u{number}@example.com"), EmailVerified())
    await view.catch_up()
    days = over("day")
    for ask in (registrations, verifications, sign_ins, active_users):
        series = await ask(reader_pool, days, "day")
        assert (series.position, series.parked) == (12, 6)
    assert sum(filter(None, (counts["active_users"] for counts in series.counts.values()))) == 0
    found = await retention(reader_pool, days, "day", 1, TODAY)
    assert (found.cohorts[-1].size, found.parked) == (6, 6)
