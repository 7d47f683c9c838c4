"""The statements by which days of users are added up, made for the table that serves, and each of them once.

They read indexes alone, each of the rows that count for one question: see `USER_DAYS`. Zero stands in the text, since
a plan for any number could use none of them.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Integer,
    Table,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)

from projections.database import Statement, given
from projections.serving import PerTable
from projections.user_days import USER_DAYS
from queries.periods import Granularity

__all__ = ["STATEMENTS", "DayStatements"]

_checkpoints: Final = table("checkpoints", column("consumer"), column("position"), column("parked"))
_counts: Final = table("sign_in_counts", column("day", Date), column("attempted"), column("succeeded"))
_begins: Final = given("begins", Date)
_ends: Final = given("ends", Date)
_zero: Final[Any] = literal_column("0")


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


class DayStatements:
    """The questions about one physical table, compiled once."""

    def __init__(self, days: Table) -> None:
        self._days = days
        self._consumer = days.name
        self.counted = {name: self._counted(name) for name in ("registered", "verified")}
        self.signed_in = self._signed_in()
        self.active: dict[Granularity, Statement] = {name: self._active(name) for name in ("day", "week", "month")}
        self.retained: dict[Granularity, Statement] = {name: self._retained(name) for name in ("day", "week", "month")}

    def _counted(self, name: str) -> Statement:
        days = self._days.columns
        sums = (
            select(days.day.label("day"), func.sum(days[name]).label(name))
            .where(days.day >= _begins, days.day < _ends, days[name] > _zero)
            .group_by(days.day)
        )
        return _at_its_position(self._consumer, sums.subquery())

    def _signed_in(self) -> Statement:
        """Beside the sessions, how many people they are of and, where these are fewer than `smallest`, who."""
        days, again = self._days.columns, self._days.alias("again").columns
        began = (
            select(
                days.day.label("day"),
                func.sum(days.signed_in).label("signed_in"),
                func.count().filter(days.signed_in > _zero).label("people"),
            )
            .where(days.day >= _begins, days.day < _ends, days.seen > _zero)
            .group_by(days.day)
            .subquery()
        )
        who = (
            select(func.array_agg(again.user_id))
            .where(again.day == began.columns.day, again.seen > _zero, again.signed_in > _zero)
            .scalar_subquery()
        )
        tried = _counts.columns
        failed = cast(func.greatest(func.sum(tried.attempted) - func.sum(tried.succeeded), 0), BigInteger)
        missed = (
            select(tried.day, failed.label("failed"))
            .where(tried.day >= _begins, tried.day < _ends)
            .group_by(tried.day)
            .subquery()
        )
        rows = select(
            func.coalesce(began.columns.day, missed.columns.day).label("day"),
            func.coalesce(began.columns.signed_in, 0).label("signed_in"),
            func.coalesce(missed.columns.failed, 0).label("failed"),
            case((began.columns.people < given("smallest", Integer), who)).label("who"),
        ).select_from(began.join(missed, began.columns.day == missed.columns.day, full=True))
        return _at_its_position(self._consumer, rows.subquery())

    def _active(self, granularity: Granularity) -> Statement:
        """Each user is counted once in a period; a day has one row of each, so there is nothing to sort there."""
        days = self._days.columns
        seen = select(_period(days.day, granularity).label("period"), days.user_id).where(
            days.day >= _begins, days.day < _ends, days.seen > _zero
        )
        once = (seen if granularity == "day" else seen.distinct()).subquery()
        counted = select(once.columns.period, func.count().label("active")).group_by(once.columns.period)
        return _at_its_position(self._consumer, counted.subquery())

    def _retained(self, granularity: Granularity) -> Statement:
        days = self._days.columns
        cohort, period = _period(days.registered_on, granularity), _period(days.day, granularity)
        each = (
            select(cohort.label("cohort"), period.label("period"), days.user_id)
            .where(
                days.registered_on >= _begins,
                days.registered_on < _ends,
                days.day < given("until", Date),
                days.seen > _zero,
            )
            .distinct()
            .subquery()
        )
        found = each.columns
        counted = select(found.cohort, found.period, func.count().label("active"))
        return _at_its_position(self._consumer, counted.group_by(found.cohort, found.period).subquery())


STATEMENTS: Final = PerTable(USER_DAYS, lambda model: DayStatements(model.table))
