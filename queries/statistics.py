"""How many, and when: statistics over the days of users, in UTC, with small groups left untold where that is asked for."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, Date, DateTime, Table, cast, column, func, select, table, true

from events.connections import Reading
from projections.database import Statement, given
from projections.serving import PerTable, table_that_serves
from projections.user_days import USER_DAYS
from queries.periods import Granularity, Range, beginning, following, periods

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


_checkpoints: Final = table("checkpoints", column("consumer"), column("position"), column("parked"))
_counts: Final = table("sign_in_counts", column("day", Date), column("attempted"), column("succeeded"))
_begins: Final = given("begins", Date)
_ends: Final = given("ends", Date)


def _at_its_position(consumer: str, rows: Any) -> Statement:
    """The rows, the view's least checkpoint and what it has parked, of one moment; nulls where there are no rows."""
    stands = _checkpoints.columns
    reached = (
        select(func.min(stands.position).label("reached"), cast(func.sum(stands.parked), BigInteger).label("parked"))
        .where(stands.consumer == consumer)
        .subquery()
    )
    return Statement(select(reached, rows).select_from(reached.outerjoin(rows, true())))


def _period(day: Any, granularity: Granularity) -> Any:
    return day if granularity == "day" else cast(func.date_trunc(granularity, cast(day, DateTime)), Date)


class _Statements:
    """The questions about one physical table, compiled once."""

    def __init__(self, days: Table) -> None:
        self._days = days
        self._consumer = days.name
        self.counted = {name: self._counted(name) for name in ("registered", "verified")}
        self.signed_in = self._signed_in()
        self.active: dict[Granularity, Statement] = {name: self._active(name) for name in ("day", "week", "month")}
        self.retained: dict[Granularity, Statement] = {name: self._retained(name) for name in ("day", "week", "month")}

    def _sums(self, name: str) -> Any:
        days = self._days.columns
        return (
            select(days.day.label("day"), func.sum(days[name]).label(name))
            .where(days.day >= _begins, days.day < _ends)
            .group_by(days.day)
            .subquery()
        )

    def _counted(self, name: str) -> Statement:
        return _at_its_position(self._consumer, self._sums(name))

    def _signed_in(self) -> Statement:
        signed_in, tried = self._sums("signed_in"), _counts.columns
        failed = cast(func.greatest(func.sum(tried.attempted) - func.sum(tried.succeeded), 0), BigInteger).label(
            "failed"
        )
        failures = select(tried.day, failed).where(tried.day >= _begins, tried.day < _ends).group_by(tried.day)
        missed = failures.subquery()
        rows = select(
            func.coalesce(signed_in.columns.day, missed.columns.day).label("day"),
            func.coalesce(signed_in.columns.signed_in, 0).label("signed_in"),
            func.coalesce(missed.columns.failed, 0).label("failed"),
        ).select_from(signed_in.join(missed, signed_in.columns.day == missed.columns.day, full=True))
        return _at_its_position(self._consumer, rows.subquery())

    def _active(self, granularity: Granularity) -> Statement:
        """Each user is counted once in a period; a day has one row of each, so there is nothing to sort there."""
        days = self._days.columns
        seen = select(_period(days.day, granularity).label("period"), days.user_id).where(
            days.day >= _begins, days.day < _ends, days.seen > 0
        )
        once = (seen if granularity == "day" else seen.distinct()).subquery()
        counted = select(once.columns.period, func.count().label("active")).group_by(once.columns.period)
        return _at_its_position(self._consumer, counted.subquery())

    def _retained(self, granularity: Granularity) -> Statement:
        days = self._days.columns
        each = (
            select(
                _period(days.registered_on, granularity).label("cohort"),
                _period(days.day, granularity).label("period"),
                func.max(days.seen).label("seen"),
                func.max(days.registered).label("registered"),
            )
            .where(days.registered_on >= _begins, days.registered_on < _ends, days.day < given("until", Date))
            .group_by("cohort", "period", days.user_id)
            .subquery()
        )
        found = each.columns
        counted = select(
            found.cohort,
            found.period,
            func.count().filter(found.seen > 0).label("active"),
            func.sum(found.registered).label("size"),
        ).group_by(found.cohort, found.period)
        return _at_its_position(self._consumer, counted.subquery())


_statements: Final = PerTable(USER_DAYS, lambda model: _Statements(model.table))


async def _of(pool: Reading) -> _Statements:
    """The questions about the table that serves. Raises `ViewBehind` when none does yet."""
    return _statements[await table_that_serves(pool, USER_DAYS)]


def _told(count: int, smallest: int, hidden: int = 0) -> int | None:
    """A count, unless it is that of a small group, or would tell of one when it is held against what else is told."""
    return None if 0 < count < smallest or 0 < hidden < smallest else count


def _summed(days: Mapping[date, int], period: date, granularity: Granularity, smallest: int) -> int | None:
    """What the days of a period add up to. What is hidden of single days must not be found by subtracting the others."""
    values = [days.get(day, 0) for day in periods(period, following(period, granularity), "day")]
    return _told(sum(values), smallest, sum(value for value in values if value < smallest))


def _series(rows: list[Any], names: Mapping[str, str], over: Range, granularity: Granularity, smallest: int) -> Series:
    by_name = {told: {row["day"]: row[name] for row in rows if row["day"]} for name, told in names.items()}
    counts = {
        period: {told: _summed(days, period, granularity, smallest) for told, days in by_name.items()}
        for period in periods(*over, granularity)
    }
    return Series(counts, **_reflected(rows))


def _reflected(rows: list[Any]) -> dict[str, int]:
    return {"position": rows[0]["reached"] or 0, "parked": rows[0]["parked"] or 0}


async def registrations(pool: Reading, over: Range, granularity: Granularity, smallest: int = 1) -> Series:
    """Registrations, also those that nobody proved."""
    ask = await _of(pool)
    rows = await ask.counted["registered"].fetch(pool, begins=over[0], ends=over[1])
    return _series(rows, {"registered": "registrations"}, over, granularity, smallest)


async def verifications(pool: Reading, over: Range, granularity: Granularity, smallest: int = 1) -> Series:
    """Registrations whose address was proved, on the day of the proof."""
    ask = await _of(pool)
    rows = await ask.counted["verified"].fetch(pool, begins=over[0], ends=over[1])
    return _series(rows, {"verified": "verifications"}, over, granularity, smallest)


async def sign_ins(pool: Reading, over: Range, granularity: Granularity, smallest: int = 1) -> Series:
    """Sessions that began, and sign-ins that failed, whether or not the address was anybody's.

    Failures are no events: they are counted as they happen, and no position tells up to when.
    """
    ask = await _of(pool)
    rows = await ask.signed_in.fetch(pool, begins=over[0], ends=over[1])
    return _series(rows, {"signed_in": "sign_ins", "failed": "failures"}, over, granularity, smallest)


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

    Nothing is told of a cohort that is too small.
    """
    last = beginning(today, granularity)
    until = following(last, granularity)
    ask = await _of(pool)
    rows = await ask.retained[granularity].fetch(pool, begins=over[0], ends=over[1], until=until)
    active = {(row["cohort"], row["period"]): row["active"] for row in rows}
    sizes: dict[date, int] = {row["cohort"]: row["size"] for row in rows if row["cohort"] == row["period"]}
    cohorts = []
    for cohort in periods(*over, granularity):
        size = _told(sizes.get(cohort, 0), smallest)
        ages = list(periods(cohort, until, granularity))[:most]
        counts = [None if size is None else _told(active.get((cohort, age), 0), smallest) for age in ages]
        cohorts.append(Cohort(cohort, size, counts))
    return Retention(cohorts, **_reflected(rows))
