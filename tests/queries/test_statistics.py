"""Statistics, held against the same counted in the history that was written."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from events.session import SessionStarted
from events.user import EmailVerified, UserRegistered
from projections.read_model import Several
from projections.user_days import USER_DAYS, UserDay, evolve
from queries.periods import Granularity, Range, beginning, following, periods, whole_range
from queries.statistics import Cohort, Retention, active_users, registrations, retention, sign_ins, verifications
from tests.queries.past import Fact, Past, crowd
from tests.queries.plans import kept_plans
from tests.support import until

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
            registered = await registrations(reader_pool, over(granularity), granularity, smallest)
            assert cohort.size == registered.counts[cohort.period]["registrations"]
            assert cohort.size in (None, len(people))
            assert smallest > 1 or cohort.size is not None
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


async def sizes(reader_pool, granularity: Granularity, days: Range, smallest: int) -> list[int | None]:
    found = await retention(reader_pool, days, granularity, 1, TODAY, smallest)
    return [cohort.size for cohort in found.cohorts]


async def test_sizes_of_cohorts_are_told_where_registrations_are(reader_pool, log, partitioned):
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    counts = {0: 3, 2: 3, 9: 2}
    facts = [
        Fact(now + timedelta(days=after), uuid7(), UserRegistered("x@example.com"))
        for after, count in counts.items()
        for _ in range(count)
    ]
    await Past(facts).write(log)
    view = await partitioned(1, USER_DAYS)
    await view.catch_up()
    june = (date(2026, 6, 1), date(2026, 7, 1))
    assert await sizes(reader_pool, "week", june, 5) == [6, None, 0, 0, 0]
    assert await sizes(reader_pool, "month", june, 5) == [None]
    assert await sizes(reader_pool, "month", june, 4) == [None]
    assert await sizes(reader_pool, "month", june, 2) == [8]
    for month, told in ((5, None), (2, 8)):
        series = await registrations(reader_pool, june, "month", month)
        assert [counts["registrations"] for counts in series.counts.values()] == [told]


async def test_sessions_of_few_people_are_not_told_however_many_they_are(reader_pool, log, partitioned):
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    people = [uuid7() for _ in range(3)]
    facts = [Fact(noon, person, UserRegistered("x@example.com")) for person in people]
    for place, (person, days) in enumerate(zip(people, ((1, 2, 3), (3,), (9, 10)), strict=True)):
        for after in days:
            facts += [
                Fact(
                    noon + timedelta(days=after, minutes=10 * place + minute),
                    person,
                    SessionStarted(person, "password"),
                    uuid7(),
                )
                for minute in range(4)
            ]
    await Past(facts).write(log)
    view = await partitioned(1, USER_DAYS)
    await view.catch_up()
    june = (date(2026, 6, 1), date(2026, 7, 1))

    async def told(granularity: Granularity, smallest: int) -> list[int | None]:
        series = await sign_ins(reader_pool, june, granularity, smallest)
        return [counts["sign_ins"] for counts in series.counts.values()]

    assert (await told("day", 2))[:11] == [0, None, None, 8, 0, 0, 0, 0, 0, None, None]
    assert (await told("week", 2))[:2] == [None, None]
    assert await told("month", 2) == [24]
    assert await told("month", 3) == [24]
    assert await told("month", 4) == [None]
    assert await told("day", 1) == [0, 4, 4, 8, 0, 0, 0, 0, 0, 4, 4, *[0] * 19]


async def test_all_of_it_is_counted_in_indexes_whatever_plan_is_kept(connection, reader_pool, partitioned):
    await partitioned(1, USER_DAYS)
    counted = ", ".join(name for name, kind in UserDay.__annotations__.items() if kind in (int, "int"))
    values = ", ".join(
        {"registered": "(after = 0)::int", "verified": "(after = 0)::int", "seen": "1", "signed_in": "1"}.get(name, "0")
        for name in counted.split(", ")
    )
    await connection.execute("SET synchronous_commit = on")  # what is on no disk yet is not marked as seen by all
    await connection.execute(
        f"INSERT INTO views.{USER_DAYS.consumer} (user_id, day, registered_on, position, {counted}) "
        f"SELECT user_id, '2026-01-01'::date + begun + after, '2026-01-01'::date + begun, 1, {values} "
        "FROM (SELECT gen_random_uuid() AS user_id, number % 300 AS begun FROM generate_series(1, 3000) AS number) AS people "
        "CROSS JOIN generate_series(0, 9) AS after"
    )

    async def seen_by_all() -> bool:
        """Not while somebody else looks at the database, as the server's own analysing does at any time."""
        await connection.execute(f"VACUUM ANALYZE views.{USER_DAYS.consumer}")
        asked = "SELECT relallvisible = relpages FROM pg_class WHERE oid = $1::text::regclass"
        return bool(await connection.fetchval(asked, f"views.{USER_DAYS.consumer}"))

    await until(seen_by_all)
    march = (date(2026, 3, 1), date(2026, 4, 1))
    async with reader_pool.acquire() as reader:
        for granularity in GRANULARITIES:
            for asked in (
                registrations(reader, march, granularity, 3),
                verifications(reader, march, granularity, 3),
                sign_ins(reader, march, granularity, 3),
                active_users(reader, march, granularity, 3),
                retention(reader, march, granularity, 3, TODAY, 3),
            ):
                for plan in await kept_plans(reader, asked):
                    scans = [line for line in plan.splitlines() if "Scan" in line and USER_DAYS.consumer in line]
                    assert all("Index Only Scan" in line for line in scans), plan


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
