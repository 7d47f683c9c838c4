"""Statistics, for analysts: how many registered, proved their address, were active and stayed, and signed in or failed to."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, TypeVar

from litestar import Controller, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from msgspec import Struct, ValidationError, convert, field

from api.asking import runtime_of
from api.auth import may
from api.bodies import JsonRequest
from api.conditions import MinPosition, Prefer
from api.declared import TOKEN, VIEW, declared
from api.reasons import FieldError, InvalidParameters, InvalidRange, NotPermitted
from api.turns import few_at_once
from api.views import Reached, reached
from queries import statistics
from queries.periods import MOST_DAYS, Granularity, Range, RangeRefused, whole_range

__all__ = ["Statistics"]

R = TypeVar("R")
LONGEST_SECONDS: Final = 20.0
MOST_PERIODS: Final = 36

From = Annotated[
    str | None,
    QueryParameter(
        name="from",
        schema_extra={"format": "date"},
        description="The first day, in UTC; the whole period that it lies in is told. If not given: 30 days, 12 weeks or 12 "
        "months before the end.",
    ),
]
To = Annotated[
    str | None,
    QueryParameter(
        name="to",
        schema_extra={"format": "date"},
        description=f"The day before which it ends; up to today if not given. At most {MOST_DAYS:,} days after `from`.",
    ),
]
By = Annotated[Granularity, QueryParameter(name="granularity", description="What is added up; weeks begin on Monday.")]
Periods = Annotated[
    int,
    QueryParameter(name="periods", ge=1, le=MOST_PERIODS, description="How many periods a cohort is followed at most."),
]


class Registrations(Struct, frozen=True):
    """How many registered in the period that begins on this day, whether or not they proved their address."""

    period: date
    registrations: int | None


class Verifications(Struct, frozen=True):
    """How many proved the address that they had registered with."""

    period: date
    verifications: int | None


class ActiveUsers(Struct, frozen=True):
    """How many users signed in, or went on with a session that they had, each counted once in the period."""

    period: date
    active_users: int | None


class SignIns(Struct, frozen=True):
    """How many sessions began, and how many sign-ins failed; these are counted by address as it was given, known or not.

    Sessions of fewer users than the smallest group are not told, however many there are; nobody knows whose failures are.
    """

    period: date
    sign_ins: int | None
    failures: int | None


class Cohort(Struct, frozen=True):
    """How many registered in a period, and how many of them were active in it and in each one after it that has begun."""

    period: date
    registrations: int | None
    active: list[int | None]


class _Of(Struct, frozen=True, kw_only=True):
    """The days that are told of, from one until before another. A count below `smallest_group`, other than 0, is null.

    So is one of weeks or months from which such a count of days could be found by subtracting what else is told.

    `parked` is how many events, of whatever day, could not be taken in: what is told may lack them until an operator
    has decided about them (`GET /v1/projections/user_days/parked`).
    """

    from_: date = field(name="from")
    to: date
    granularity: Granularity
    smallest_group: int
    parked: int


class RegistrationsSeries(_Of, frozen=True, kw_only=True):
    """Registrations by period."""

    items: list[Registrations]


class VerificationsSeries(_Of, frozen=True, kw_only=True):
    """Proofs of addresses by period."""

    items: list[Verifications]


class ActiveUsersSeries(_Of, frozen=True, kw_only=True):
    """Active users by period."""

    items: list[ActiveUsers]


class SignInsSeries(_Of, frozen=True, kw_only=True):
    """Sign-ins by period."""

    items: list[SignIns]


class Retention(_Of, frozen=True, kw_only=True):
    """Cohorts by period of registration."""

    items: list[Cohort]


Question = Callable[[Any, Range, Granularity, int], Awaitable[statistics.Series]]
RESPONSES: Final = declared(TOKEN, VIEW, NotPermitted, InvalidRange)


def _days(first: str | None, end: str | None) -> tuple[date | None, date | None]:
    days: list[date | None] = []
    errors = []
    for name, text in (("from", first), ("to", end)):
        try:
            days.append(None if text is None else convert(text, date))
        except ValidationError:
            errors.append(FieldError(parameter=name, detail="This is not a day, as 2026-11-25."))
    if errors:
        raise InvalidParameters(errors=errors)
    return days[0], days[1]


class Asked:
    """A question, once the view has come as far as it demands."""

    def __init__(self, request: JsonRequest, over: Range, granularity: Granularity, today: date) -> None:
        process = runtime_of(request)
        self.pool = process.reader
        self.over = over
        self.today = today
        self.smallest = process.settings.smallest_group
        self._granularity = granularity
        self._few = process.few_at_once
        self._demanded: Reached | None = None

    @classmethod
    async def of(
        cls,
        request: JsonRequest,
        first: str | None,
        end: str | None,
        granularity: Granularity,
        min_position: str | None,
        prefer: str | None,
    ) -> "Asked":
        """Raises `InvalidParameters`, `InvalidRange`, `ViewBehind`."""
        today = datetime.now(UTC).date()
        try:
            over = whole_range(*_days(first, end), granularity, today)
        except RangeRefused:
            raise InvalidRange from None
        asked = cls(request, over, granularity, today)
        asked._demanded = await reached(request, None, min_position, prefer, statistics.VIEW)
        return asked

    async def limited(self, question: Callable[[], Awaitable[R]]) -> R:
        """The answer, within a time; few are asked at once, so that connections are left for what is quick."""
        async with few_at_once(self._few, LONGEST_SECONDS):
            return await question()

    async def series(self, question: Question) -> statistics.Series:
        """The answer to a question about a series."""
        return await self.limited(lambda: question(self.pool, self.over, self._granularity, self.smallest))

    def told(self, whole: type[Any], item: type[Any], series: statistics.Series) -> Response[Any]:
        """A series as it is answered."""
        return self.answer(whole, [item(period, **counts) for period, counts in series.counts.items()], series)

    def answer(
        self, whole: type[Any], items: list[Any], found: statistics.Series | statistics.Retention
    ) -> Response[Any]:
        """What is told, and the position that it reflects."""
        begins, ends = self.over
        told = whole(
            from_=begins,
            to=ends,
            granularity=self._granularity,
            smallest_group=self.smallest,
            parked=found.parked,
            items=items,
        )
        assert self._demanded is not None
        self._demanded.hold(found.position)
        headers = {"Event-Position": str(found.position), "Cache-Control": "no-store", **self._demanded.applied}
        return Response(told, headers=headers)


async def asked_by_day(
    request: JsonRequest,
    first: From = None,
    end: To = None,
    granularity: By = "day",
    min_position: MinPosition = None,
    prefer: Prefer = None,
) -> Asked:
    """What is asked of a series. Raises as `Asked.of`."""
    return await Asked.of(request, first, end, granularity, min_position, prefer)


class Statistics(Controller):
    """Counts over days, weeks and months in UTC. They are made of days on which something happened, and stay as they are
    when someone is erased.
    """

    path = "/v1/statistics"
    tags = ("Statistics",)
    guards = (may("statistics:read"),)
    security = ({"token": []},)
    dependencies = {"asked": Provide(asked_by_day)}  # noqa: RUF012 - the framework declares it so

    @get("/registrations", operation_id="registrations", summary="Registrations", responses=RESPONSES)
    async def registrations(self, asked: NamedDependency[Asked]) -> Response[RegistrationsSeries]:
        """Also those that nobody proved."""
        return asked.told(RegistrationsSeries, Registrations, await asked.series(statistics.registrations))

    @get("/verifications", operation_id="verifications", summary="Proved addresses", responses=RESPONSES)
    async def verifications(self, asked: NamedDependency[Asked]) -> Response[VerificationsSeries]:
        """By the day of the proof."""
        return asked.told(VerificationsSeries, Verifications, await asked.series(statistics.verifications))

    @get("/active-users", operation_id="active_users", summary="Active users", responses=RESPONSES)
    async def active_users(self, asked: NamedDependency[Asked]) -> Response[ActiveUsersSeries]:
        """Daily, weekly or monthly. Active is who signed in, or refreshed a session that had begun on another day."""
        return asked.told(ActiveUsersSeries, ActiveUsers, await asked.series(statistics.active_users))

    @get("/sign-ins", operation_id="sign_ins", summary="Sign-ins, and those that failed", responses=RESPONSES)
    async def sign_ins(self, asked: NamedDependency[Asked]) -> Response[SignInsSeries]:
        """Failures are counted by day as they happen, apart from the log, so no position tells up to when."""
        return asked.told(SignInsSeries, SignIns, await asked.series(statistics.sign_ins))

    @get("/retention", operation_id="retention", summary="How many stay", responses=RESPONSES)
    async def retention(
        self,
        request: JsonRequest,
        first: From = None,
        end: To = None,
        granularity: By = "month",
        periods: Periods = 12,
        min_position: MinPosition = None,
        prefer: Prefer = None,
    ) -> Response[Retention]:
        """Cohorts by the period in which they registered. The first of `active` is that period itself."""
        asked = await Asked.of(request, first, end, granularity, min_position, prefer)
        found = await asked.limited(
            lambda: statistics.retention(asked.pool, asked.over, granularity, periods, asked.today, asked.smallest)
        )
        items = [Cohort(cohort.period, cohort.size, cohort.active) for cohort in found.cohorts]
        return asked.answer(Retention, items, found)
