"""The questions of the page for analysts, asked as it says, and answered from the history that was written."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import pytest

from events.connections import connect
from events.session import SessionContinued, SessionEnded, SessionExpired, SessionStarted
from events.user import (
    EmailVerified,
    PasswordReset,
    RegistrationLapsed,
    UserLocked,
    UserRegistered,
    UserReinstated,
    UserSuspended,
    UserUnlocked,
)
from projections.models import MODELS
from projections.published import publish
from queries.periods import beginning, following, periods
from tests.docs.steps import ROOT
from tests.projections.conftest import connection, log, partitioned
from tests.queries.past import Past, crowd

__all__ = ["connection", "log", "partitioned"]

_QUESTION = re.compile(r"^### ([^\n]+)\n\n(?:[^\n]+\n\n)?```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
Rows = list[tuple[Any, ...]]
FAILED: dict[date, int] = {}


def questions() -> dict[str, str]:
    """The questions of the page, and the SQL of each."""
    page = (ROOT / "docs" / "analysts.md").read_text("utf-8")
    return dict(_QUESTION.findall(page.partition("\n## Ten questions\n")[2]))


def rounded(value: Decimal, places: str) -> Decimal:
    return value.quantize(Decimal(places), ROUND_HALF_UP)


def disc(values: list[timedelta], share: float) -> timedelta:
    """The first value at which so many are reached (SQL's percentile_disc)."""
    ordered = sorted(values)
    return next(value for place, value in enumerate(ordered, start=1) if place / len(ordered) >= share)


def months_registered(past: Past) -> Rows:
    proved = {fact.user_id for fact in past.of(EmailVerified)}
    rows: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0])
    for user, at in past.people.items():
        row = rows[beginning(at.date(), "month")]
        row[0] += 1
        row[1] += user in proved
    return [(month, *rows[month]) for month in sorted(rows)]


def time_to_proof(past: Past) -> Rows:
    taken = [fact.at - past.people[fact.user_id] for fact in past.of(EmailVerified)]
    return [(disc(taken, 0.5), disc(taken, 0.9))]


def weeks_active(past: Past) -> Rows:
    return sorted(Counter(week for _, week in {(user, beginning(day, "week")) for user, day in past.seen}).items())


def days_active(past: Past) -> Rows:
    people, days = defaultdict(set), Counter[date]()
    for user, day in past.seen:
        people[beginning(day, "month")].add(user)
        days[beginning(day, "month")] += 1
    return [(month, rounded(Decimal(days[month]) / len(people[month]), "0.01")) for month in sorted(people)]


def months_retained(past: Past) -> Rows:
    rows: Rows = []
    cohorts = defaultdict(set)
    for user, at in past.people.items():
        cohorts[beginning(at.date(), "month")].add(user)
    for cohort, people in sorted(cohorts.items()):
        for after, month in enumerate(periods(cohort, datetime.now(UTC).date() + timedelta(days=1), "month")):
            active = len({user for user, day in past.seen if user in people and beginning(day, "month") == month})
            rows.append((cohort, after, len(people), active, rounded(Decimal(100 * active) / len(people), "1")))
    return rows


def stopped(past: Past) -> Rows:
    last = {fact.user_id: fact.at for fact in past.of(SessionStarted, SessionContinued)}
    before = datetime.now(UTC) - timedelta(days=30)
    proved = [last.get(fact.user_id) for fact in past.of(EmailVerified)]
    return [
        (
            sum(at is None for at in proved),
            sum(at is not None and at < before for at in proved),
            sum(at is not None and at >= before for at in proved),
        )
    ]


def states(past: Past) -> Rows:
    rows: Rows = []
    gone = {fact.user_id for fact in past.of(RegistrationLapsed)}
    first = min(at for user, at in past.people.items() if user not in gone)
    for month in periods(beginning(first.date(), "month"), datetime.now(UTC).date() + timedelta(days=1), "month"):
        moment = datetime.combine(following(month, "month"), datetime.min.time(), UTC)
        found = Counter(
            _state(past, user, moment) for user, at in past.people.items() if user not in gone and at <= moment
        )
        rows += [(moment.date(), state, count) for state, count in sorted(found.items())]
    return rows


def _state(past: Past, user: UUID, moment: datetime) -> str:
    proved = suspended = locked = False
    for fact in past.about(user):
        if fact.at > moment:
            break
        if isinstance(fact.event, EmailVerified):
            proved = True
        elif isinstance(fact.event, UserSuspended | UserReinstated):
            suspended = isinstance(fact.event, UserSuspended)
        elif isinstance(fact.event, UserLocked | UserUnlocked):
            locked = isinstance(fact.event, UserLocked)
    if suspended:
        return "suspended"
    return "unverified" if not proved else "locked" if locked else "active"


def sessions(past: Past) -> Rows:
    lengths = defaultdict(list)
    for started in past.of(SessionStarted):
        ending, last = "goes on", started.at
        for fact in past.about(started.user_id):
            if fact.at <= started.at or ending != "goes on":
                continue
            if fact.session_id == started.session_id and isinstance(fact.event, SessionContinued):
                last = fact.at
            elif fact.session_id == started.session_id:
                ending, last = {SessionEnded: "ended", SessionExpired: "expired"}[type(fact.event)], fact.at
            elif isinstance(fact.event, UserSuspended | PasswordReset):
                ending, last = "everywhere", fact.at
        lengths[ending].append(last - started.at)
    return [(ending, len(found), disc(found, 0.5)) for ending, found in sorted(lengths.items())]


def failing_days(past: Past) -> Rows:
    signed_in = Counter(fact.day for fact in past.of(SessionStarted))
    return [(day, signed_in[day], count) for day, count in sorted(FAILED.items()) if count > signed_in[day]]


def providers(past: Past) -> Rows:
    month = beginning(datetime.now(UTC).date(), "month")
    emails = {fact.user_id: str(fact.event.email) for fact in past.of(UserRegistered)}  # type: ignore[attr-defined]
    active = {user for user, day in past.seen if day >= month}
    return sorted(Counter(emails[user].partition("@")[2] for user in active).items())


ANSWERS: list[Callable[[Past], Rows]] = [
    months_registered,
    time_to_proof,
    weeks_active,
    days_active,
    months_retained,
    stopped,
    states,
    sessions,
    failing_days,
    providers,
]


@pytest.fixture
async def past(log, connection, partitioned) -> Past:
    """A history of some months, in all views, and some sign-ins that failed."""
    made = crowd()
    await made.write(log)
    for model in MODELS:
        view = await partitioned(1, model)
        await view.catch_up()
    await publish(connection, {model.name: model.consumer for model in MODELS})
    today = datetime.now(UTC).date()
    FAILED.update({today - timedelta(days=after): after % 4 for after in range(60)})
    await log.database.query(
        "INSERT INTO sign_in_counts SELECT day, 1, failed + 2, 2 FROM unnest($1::date[], $2::int[]) AS f (day, failed)",
        list(FAILED),
        list(FAILED.values()),
    )
    return made


async def test_each_of_the_ten_is_answered_as_the_history_has_it(past, log):
    asked = questions()
    assert len(asked) == len(ANSWERS) == 10
    for (question, sql), answer in zip(asked.items(), ANSWERS, strict=True):
        role = "analyst_personal" if answer is providers else "analyst"
        analyst = await connect(log.database.url(role), "analyst")
        rows = [tuple(row) for row in await analyst.fetch(sql)]
        await analyst.close()
        assert rows == answer(past), question
        assert rows, question
