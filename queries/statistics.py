"""How many, and when: statistics over the days of users, in UTC, with small groups left untold where that is asked for."""

from collections.abc import Mapping
from datetime import date
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from events.connections import Reading
from projections.serving import table_that_serves
from projections.user_days import USER_DAYS
from queries.day_statements import STATEMENTS, DayStatements
from queries.periods import Granularity, Range, beginning, following, periods, whole_weeks
from queries.small_groups import Counted, few, one_each

__all__ = [
    "VIEW",
    "Cohort",
    "Retention",
    "Series",
    "active_users",
    "registrations",
    "retention",
    "sign_ins",
    "verifications",
]

VIEW: Final = USER_DAYS.view
"""The view that statistics are made of, as its positions are known."""

Counts = Mapping[str, int]


class Series(Struct, frozen=True):
    """Counts by the first day of their period, without gaps; None for one that is not told, because it is too small.

    `position` is reflected by all of it, but for so many parked events.
    """

    counts: dict[date, dict[str, int | None]]
    position: int
    parked: int


class Cohort(Struct, frozen=True):
    """Those who registered in one period, and how many of them were active in it and in each that followed."""

    period: date
    size: int | None
    active: list[int | None]


class Retention(Struct, frozen=True):
    """Cohorts; `position` is reflected by all of them, but for so many parked events."""

    cohorts: list[Cohort]
    position: int
    parked: int


async def _of(pool: Reading) -> DayStatements:
    """The questions about the table that serves. Raises `ViewBehind` when none does yet."""
    return STATEMENTS[await table_that_serves(pool, USER_DAYS)]


def _told(count: int, smallest: int) -> int | None:
    """How many people they are, unless they are few."""
    return None if few(count, smallest) else count


def _days_for(over: Range, granularity: Granularity) -> dict[str, date]:
    """The days that have to be known to tell of a range; of months, those of all their weeks."""
    begins, ends = whole_weeks(over) if granularity == "month" else over
    return {"begins": begins, "ends": ends}


def _by_day(rows: list[Any], name: str) -> dict[date, int]:
    return {row["day"]: row[name] for row in rows if row["day"]}


def _series(rows: list[Any], counted: Mapping[str, Counted], over: Range, granularity: Granularity) -> Series:
    counts = {
        period: {name: count.told(period, granularity) for name, count in counted.items()}
        for period in periods(*over, granularity)
    }
    return Series(counts, **_reflected(rows))


def _reflected(rows: list[Any]) -> dict[str, int]:
    return {"position": rows[0]["reached"] or 0, "parked": rows[0]["parked"] or 0}


def _of_people(rows: list[Any], name: str, smallest: int) -> Counted:
    """Counts in which each person is once."""
    days = _by_day(rows, name)
    return Counted(days, one_each(days, smallest), smallest)


async def registrations(pool: Reading, over: Range, granularity: Granularity, smallest: int = 1) -> Series:
    """Registrations, also those that nobody proved."""
    ask = await _of(pool)
    rows = await ask.counted["registered"].fetch(pool, **_days_for(over, granularity))
    return _series(rows, {"registrations": _of_people(rows, "registered", smallest)}, over, granularity)


async def verifications(pool: Reading, over: Range, granularity: Granularity, smallest: int = 1) -> Series:
    """Registrations whose address was proved, on the day of the proof."""
    ask = await _of(pool)
    rows = await ask.counted["verified"].fetch(pool, **_days_for(over, granularity))
    return _series(rows, {"verifications": _of_people(rows, "verified", smallest)}, over, granularity)


async def sign_ins(pool: Reading, over: Range, granularity: Granularity, smallest: int = 1) -> Series:
    """Sessions that began, and sign-ins that failed, whether or not the address was anybody's.

    Failures are no events: they are counted as they happen, and no position tells up to when. Whether a group is small
    is decided by how many people the sessions are of; of failures, whose people nobody knows, by how many there were.
    """
    ask = await _of(pool)
    rows = await ask.signed_in.fetch(pool, **_days_for(over, granularity), smallest=smallest)
    who = {row["day"]: frozenset(row["who"]) for row in rows if row["who"]}
    sign_ins = Counted(_by_day(rows, "signed_in"), who, smallest)
    counted = {"sign_ins": sign_ins, "failures": _of_people(rows, "failed", smallest)}
    return _series(rows, counted, over, granularity)


async def active_users(pool: Reading, over: Range, granularity: Granularity, smallest: int = 1) -> Series:
    """Users who signed in or went on with a session of an earlier day, each once in a period."""
    ask = await _of(pool)
    rows = await ask.active[granularity].fetch(pool, begins=over[0], ends=over[1])
    found = {row["period"]: row["active"] for row in rows}
    counts = {period: {"active_users": _told(found.get(period, 0), smallest)} for period in periods(*over, granularity)}
    return Series(counts, **_reflected(rows))


async def retention(
    pool: Reading, over: Range, granularity: Granularity, most: int, today: date, smallest: int = 1
) -> Retention:
    """The cohorts of those who registered in each period, over at most so many periods that have begun.

    Nothing is told of a cohort whose registrations are not.
    """
    last = beginning(today, granularity)
    until = following(last, granularity)
    ask = await _of(pool)
    rows = await ask.retained[granularity].fetch(
        pool, begins=over[0], ends=over[1], until=_end_of(over, granularity, most, until)
    )
    active = {(row["cohort"], row["period"]): row["active"] for row in rows}
    days = await ask.counted["registered"].fetch(pool, **_days_for(over, granularity))
    registered = _of_people(days, "registered", smallest)
    cohorts = []
    for cohort in periods(*over, granularity):
        size = registered.told(cohort, granularity)
        ages = islice(periods(cohort, until, granularity), most)
        counts = [None if size is None else _told(active.get((cohort, age), 0), smallest) for age in ages]
        cohorts.append(Cohort(cohort, size, counts))
    return Retention(cohorts, **_reflected(rows))


def _end_of(over: Range, granularity: Granularity, most: int, until: date) -> date:
    """The day before which the last cohort has been followed over so many periods, or up to the end."""
    ages = islice(periods(max(periods(*over, granularity), default=until), until, granularity), most)
    return following(max(ages, default=until), granularity)
