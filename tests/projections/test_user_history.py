"""Given events, then rows."""

from datetime import timedelta

import pytest

from events.personal import FORGOTTEN
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    PasswordChanged,
    RegistrationLapsed,
    RegistrationSuperseded,
    RoleGranted,
    UserErased,
    UserRegistered,
    VerificationRequested,
)
from projections.folding import fold_whole
from projections.user_history import USER_HISTORY
from projections.users import USERS, UserRow
from tests.support import NOON, History

registered = UserRegistered("ada@example.com", "Ada", "en")


def versions(*events):
    return fold_whole(USER_HISTORY, History().of(*events))


def test_each_version_is_true_from_its_event_until_the_next():
    first, second = versions(registered, DisplayNameChanged("Countess"))
    assert (first.display_name, first.version, first.made_by, first.made_at) == ("Ada", 1, "UserRegistered", 1)
    assert (first.valid_from, first.valid_to) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
    assert (second.display_name, second.version, second.made_by, second.made_at) == (
        "Countess",
        2,
        "DisplayNameChanged",
        2,
    )
    assert (second.valid_from, second.valid_to) == (first.valid_to, None)


def test_a_version_that_shows_nothing_new_is_one_too():
    rows = versions(registered, VerificationRequested(), EmailVerified(), PasswordChanged())
    assert [(row.version, row.status) for row in rows] == [
        (1, "unverified"),
        (2, "unverified"),
        (3, "active"),
        (4, "active"),
    ]


@pytest.mark.parametrize("length", range(1, 6))
def test_the_last_version_is_what_the_users_view_shows(length):
    events = [registered, EmailVerified(), RoleGranted("auditor"), DisplayNameChanged(None), PasswordChanged()]
    history = History().of(*events[:length])
    (user,) = fold_whole(USERS, history)
    *_, last = fold_whole(USER_HISTORY, history)
    shared = [name for name in UserRow.__struct_fields__ if name != "last_seen_at"]
    assert [getattr(last, name) for name in shared] == [getattr(user, name) for name in shared]


@pytest.mark.parametrize(
    "end",
    [RegistrationSuperseded(History().stream_id), RegistrationLapsed(), DisplayNameChanged(FORGOTTEN), UserErased()],
)
def test_nothing_is_left_of_a_registration_that_came_to_nothing_or_of_who_was_forgotten(end):
    assert versions(registered, DisplayNameChanged("Countess"), end, EmailVerified()) == []


def test_someone_forgotten_before_has_no_history():
    assert versions(UserRegistered(FORGOTTEN, FORGOTTEN, FORGOTTEN), EmailVerified()) == []
