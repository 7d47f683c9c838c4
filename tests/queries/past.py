"""A history over many days, kept as it was written, so that what is asked of it can be computed by other means."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from events.event import Event
from events.session import SessionContinued, SessionEnded, SessionExpired, SessionStarted
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    PasswordReset,
    RegistrationLapsed,
    RoleGranted,
    UserLocked,
    UserRegistered,
    UserReinstated,
    UserSuspended,
    UserUnlocked,
)
from tests.projections.log import Log

__all__ = ["Fact", "Past", "crowd"]

DOMAINS: Final = ("example.com", "example.org", "example.net")


class Fact(Struct, frozen=True):
    """What happened, to whom, when, and in which session."""

    at: datetime
    user_id: UUID
    event: Event
    session_id: UUID | None = None

    @property
    def day(self) -> date:
        """The day in UTC."""
        return self.at.date()


class Past:
    """Facts in the order in which they happened, and the log that holds them."""

    def __init__(self, facts: list[Fact]) -> None:
        self.facts = sorted(facts, key=lambda fact: fact.at)

    async def write(self, log: Log) -> None:
        """Record them, as if it had been then."""
        for fact in self.facts:
            if fact.session_id is None:
                await log.add(fact.user_id, fact.event)
            else:
                await log.add_to_session(fact.user_id, fact.session_id, fact.event)
        await log.database.query("ALTER TABLE stored_events DISABLE TRIGGER append_only")
        await log.database.query(
            "UPDATE stored_events SET recorded_at = moment FROM unnest($1::timestamptz[]) WITH ORDINALITY AS t (moment, position) "
            "WHERE notification_id = position",
            [fact.at for fact in self.facts],
        )
        await log.database.query("ALTER TABLE stored_events ENABLE TRIGGER append_only")

    def of(self, *events: type[Event]) -> Iterator[Fact]:
        """The facts of these kinds."""
        return (fact for fact in self.facts if isinstance(fact.event, events))

    def about(self, user_id: UUID) -> list[Fact]:
        """What happened to somebody."""
        return [fact for fact in self.facts if fact.user_id == user_id]

    @property
    def people(self) -> dict[UUID, datetime]:
        """Who registered, and when."""
        return {fact.user_id: fact.at for fact in self.of(UserRegistered)}

    @property
    def seen(self) -> set[tuple[UUID, date]]:
        """Who was active on which day."""
        return {(fact.user_id, fact.day) for fact in self.of(SessionStarted, SessionContinued)}


def crowd(number: int = 40, days: int = 130, seed: int = 1) -> Past:
    """People who came, stayed and went in the days up to now, and one more who comes now, on whichever day that is."""
    chance = Random(seed)
    now = datetime.now(UTC) - timedelta(minutes=1)
    facts = [fact for place in range(number) for fact in _life(place, chance, now - timedelta(days=days), now)]
    return Past([*facts, *_guest(datetime.now(UTC))])


def _guest(now: datetime) -> Iterator[Fact]:
    user_id = uuid7()
    before = now - timedelta(days=40)
    yield Fact(before, user_id, UserRegistered(f"guest@{DOMAINS[0]}", "Guest"))
    yield Fact(before + timedelta(hours=1), user_id, EmailVerified())
    yield Fact(now, user_id, SessionStarted(user_id, "password"), uuid7())


def _life(place: int, chance: Random, begun: datetime, now: datetime) -> Iterator[Fact]:
    user_id = uuid7()

    def then(at: datetime, *events: Event, **session: Any) -> Iterator[Fact]:
        return (Fact(at, user_id, event, **session) for event in events if at < now)

    at = begun + (now - begun) * chance.random()
    yield from then(at, UserRegistered(f"person{place}@{chance.choice(DOMAINS)}", "Someone"))
    if chance.random() < 0.15:
        yield from then(at + timedelta(hours=72), RegistrationLapsed())
        return
    at += timedelta(hours=60 * chance.random() ** 3)
    yield from then(at, EmailVerified())
    if chance.random() < 0.3:
        yield from then(at, RoleGranted(chance.choice(["auditor", "analyst"])), DisplayNameChanged("Another"))
    while chance.random() < 0.85:
        session_id = uuid7()
        yield from then(at, SessionStarted(user_id, "password"), session_id=session_id)
        while chance.random() < 0.6:
            at += timedelta(days=1 + 4 * chance.random())
            yield from then(at, SessionContinued(), session_id=session_id)
        at += timedelta(hours=30 * chance.random())
        end = chance.choice([SessionEnded(), SessionExpired(), None])
        if end is not None:
            yield from then(at, end, session_id=session_id)
        at += timedelta(days=10 * chance.random())
    if chance.random() < 0.3:
        yield from then(at, UserSuspended())
        yield from then(at + timedelta(days=20), UserReinstated())
    elif chance.random() < 0.3:
        yield from then(at, UserLocked(at + timedelta(minutes=15)))
        yield from then(at + timedelta(minutes=15), UserUnlocked())
        yield from then(at + timedelta(hours=1), PasswordReset())
