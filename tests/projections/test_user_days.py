"""Given events, then rows."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from events.event import Recorded
from events.personal import FORGOTTEN
from events.session import RefreshTokenReused, SessionContinued, SessionEnded, SessionExpired, SessionStarted
from events.user import (
    DisplayNameChanged,
    EmailChanged,
    EmailVerified,
    PasswordChanged,
    PasswordReset,
    RegistrationLapsed,
    RegistrationSuperseded,
    UserErased,
    UserImported,
    UserLocked,
    UserRegistered,
    UserReinstated,
    UserSuspended,
)
from projections.folding import fold_whole
from projections.user_days import COUNTED, USER_DAYS, UserDay
from tests.support import NOON

ada = uuid7()
registered = UserRegistered("ada@example.com", "Ada", "en")
MARCH = date(2026, 3, 1)


def days(*told):
    """Rows of events, each told with how many days after the first of March it happened."""
    facts = [
        Recorded(event, position, ada, "user", position, ada, NOON + timedelta(days=after))
        for position, (after, event) in enumerate(told, start=1)
    ]
    return sorted(fold_whole(USER_DAYS, facts), key=lambda row: row.day)


def test_the_first_day_is_that_of_the_registration():
    (row,) = days((0, registered), (0, EmailVerified()))
    assert row == UserDay(user_id=ada, day=MARCH, registered_on=MARCH, events=2, registered=1, verified=1, position=2)


def test_who_was_imported_counts_as_registered_on_the_day_of_that():
    long_ago = NOON - timedelta(days=900)
    (row,) = days((0, UserImported("ada@example.com", email_verified=True, registered_at=long_ago)))
    assert row == UserDay(user_id=ada, day=MARCH, registered_on=MARCH, events=1, registered=1, position=1)


def test_a_day_on_which_nothing_happened_has_no_row_and_every_row_knows_the_cohort():
    rows = days((0, registered), (3, SessionStarted(ada, "password")), (9, SessionContinued()))
    assert [(row.day.day, row.registered_on, row.next_on and row.next_on.day) for row in rows] == [
        (1, MARCH, 4),
        (4, MARCH, 10),
        (10, MARCH, None),
    ]


def test_signing_in_and_going_on_are_seen_and_only_the_first_is_a_sign_in():
    *_, row = days((0, registered), (1, SessionContinued()), (1, SessionStarted(ada, "password")))
    assert (row.seen, row.signed_in, row.events) == (2, 1, 2)


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (RegistrationLapsed(), "lapsed"),
        (RegistrationSuperseded(uuid7()), "lapsed"),
        (SessionEnded(), "sessions_ended"),
        (SessionExpired(), "sessions_expired"),
        (RefreshTokenReused(), "tokens_reused"),
        (UserLocked(NOON), "locked"),
        (PasswordChanged(), "password_changed"),
        (PasswordReset(), "password_reset"),
        (EmailChanged("countess@example.com"), "email_changed"),
        (UserSuspended(), "suspended"),
        (UserReinstated(), "reinstated"),
        (UserErased(), "erased"),
    ],
)
def test_counts_what_happened(event, name):
    *_, row = days((0, registered), (1, event), (1, event))
    expected = UserDay(user_id=ada, day=date(2026, 3, 2), registered_on=MARCH, events=2, position=3)
    assert row == replace(expected, **{name: 2})


def test_what_is_counted_by_no_name_of_its_own_still_happened():
    *_, row = days((0, registered), (1, DisplayNameChanged("Countess")))
    assert (row.day.day, row.events) == (2, 1)


def test_days_stay_when_what_is_personal_is_forgotten():
    forgotten = (0, UserRegistered(FORGOTTEN, FORGOTTEN, FORGOTTEN)), (1, DisplayNameChanged(FORGOTTEN))
    assert days(*forgotten) == days((0, registered), (1, DisplayNameChanged("Countess")))
    assert not USER_DAYS.opens_seals


def test_everything_that_is_counted_is_taken():
    assert set(COUNTED) <= set(USER_DAYS.events)
