"""Given events, then rows."""

from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from events.event import Recorded
from events.session import RefreshTokenReused, SessionContinued, SessionEnded, SessionExpired, SessionStarted
from events.user import (
    EmailChangeUndone,
    PasswordChanged,
    PasswordReset,
    SignedOutEverywhere,
    UserErased,
    UserSuspended,
)
from projections.folding import fold_whole
from projections.sessions import SESSIONS, SessionRow
from tests.support import NOON

ada, laptop, phone = uuid7(), uuid7(), uuid7()
started = SessionStarted(ada, "password")


def sessions(*told):
    """Rows by session, of events a minute apart, each told with its stream."""
    facts = [
        Recorded(event, minute, stream, "session", 1, ada, NOON + timedelta(minutes=minute))
        for minute, (stream, event) in enumerate(told, start=1)
    ]
    return {row.session_id: row for row in fold_whole(SESSIONS, facts)}


def at(minute):
    return NOON + timedelta(minutes=minute)


def test_a_session_is_seen_when_it_begins():
    assert sessions((laptop, started)) == {
        laptop: SessionRow(
            user_id=ada, session_id=laptop, method="password", started_at=at(1), last_seen_at=at(1), position=1
        )
    }


def test_a_session_that_goes_on_is_seen_later():
    rows = sessions((laptop, started), (phone, started), (laptop, SessionContinued()))
    assert (rows[laptop].last_seen_at, rows[laptop].ended_at) == (at(3), None)
    assert rows[phone].last_seen_at == at(2)


@pytest.mark.parametrize(
    ("event", "ending"), [(SessionEnded(), "ended"), (SessionExpired(), "expired"), (RefreshTokenReused(), "reused")]
)
def test_an_end_is_that_of_one_session_and_stays_as_it_was(event, ending):
    rows = sessions((laptop, started), (phone, started), (laptop, event), (laptop, SessionEnded()))
    assert (rows[laptop].ended_at, rows[laptop].ending) == (at(3), ending)
    assert rows[phone].ended_at is None


@pytest.mark.parametrize(
    "event",
    [
        SignedOutEverywhere(),
        PasswordChanged(),
        PasswordReset(),
        EmailChangeUndone("ada@example.com"),
        UserSuspended(),
        UserErased(),
    ],
)
def test_what_ends_all_sessions_says_so_of_each_that_was_open(event):
    rows = sessions(
        (laptop, started), (laptop, SessionEnded()), (phone, started), (ada, event), (phone, SessionEnded())
    )
    assert [(row.ending, row.ended_at) for row in rows.values()] == [("ended", at(2)), ("everywhere", at(4))]


def test_needs_nothing_personal():
    assert not SESSIONS.opens_seals
