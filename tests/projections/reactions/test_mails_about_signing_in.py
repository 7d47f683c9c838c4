"""Given a user's history, then what is written about the password and the lock: to whom, with which link, and when no longer."""

from datetime import timedelta

import pytest

from commands.errors import LinkExpired
from commands.links import RESET_PASSWORD, UNLOCK, Link, read_link
from events.user import (
    EmailChanged,
    EmailChangeRequested,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    UserLocked,
    UserSuspended,
    UserUnlocked,
)
from projections.reactions.emails import Obsolete
from tests.projections.reactions.letters import ADA, KEY, PROVED, Asked
from tests.support import NOON

registered = PROVED[0]
forgotten = PasswordResetRequested()
locked = UserLocked(NOON + timedelta(minutes=20))


def test_a_forgotten_password_is_answered_with_a_link_to_choose_another():
    asked = Asked(*PROVED, forgotten)
    assert asked.mail["To"] == "ada@example.com"
    assert read_link(KEY, RESET_PASSWORD, asked.token("reset-password"), NOON) == Link(ADA, 3)


def test_an_address_that_was_not_proved_yet_is_answered_as_well():
    assert Asked(registered, forgotten).token("reset-password")


def test_the_link_to_choose_another_password_is_good_for_an_hour():
    token = Asked(*PROVED, forgotten, minutes=62).token("reset-password")
    end = NOON + timedelta(minutes=63)
    assert read_link(KEY, RESET_PASSWORD, token, end - timedelta(seconds=1)) == Link(ADA, 3)
    with pytest.raises(LinkExpired):
        read_link(KEY, RESET_PASSWORD, token, end)
    with pytest.raises(Obsolete, match="expired"):
        _ = Asked(*PROVED, forgotten, minutes=63).mail


@pytest.mark.parametrize("event", [PasswordChanged(), PasswordReset()])
def test_another_password_is_told_without_a_link_to_act_upon(event):
    asked = Asked(*PROVED, event)
    assert asked.mail["To"] == "ada@example.com"
    assert asked.mail["Subject"] == "Your password was changed"
    assert "token" not in asked.mail.as_string()


def test_the_owner_of_a_locked_account_is_mailed_a_way_back():
    asked = Asked(*PROVED, locked)
    assert asked.mail["To"] == "ada@example.com"
    assert read_link(KEY, UNLOCK, asked.token("unlock"), NOON) == Link(ADA, 3)


def test_the_way_back_is_there_for_as_long_as_the_lock():
    token = Asked(*PROVED, locked, minutes=19).token("unlock")
    assert read_link(KEY, UNLOCK, token, locked.until - timedelta(seconds=1)) == Link(ADA, 3)
    with pytest.raises(LinkExpired):
        read_link(KEY, UNLOCK, token, locked.until)
    with pytest.raises(Obsolete, match="expired"):
        _ = Asked(*PROVED, locked, minutes=20).mail


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([forgotten, forgotten], "newer"),
        ([forgotten, PasswordReset()], "used"),
        ([forgotten, PasswordChanged()], "used"),
        ([forgotten, UserSuspended()], "used"),
        ([forgotten, EmailChangeRequested("c@example.org"), EmailChanged("c@example.org")], "used"),
        ([locked, UserUnlocked()], "lifted"),
        ([locked, UserUnlocked(), locked], "lifted"),
        ([locked, UserSuspended()], "suspended"),
    ],
)
def test_what_makes_no_sense_any_more_is_not_sent(events, reason):
    with pytest.raises(Obsolete, match=reason):
        _ = Asked(*PROVED, *events, answer=3).mail


def test_that_the_password_was_changed_is_told_whatever_happens_then():
    for then in (UserSuspended(), PasswordReset(), forgotten, locked):
        assert Asked(*PROVED, PasswordChanged(), then, answer=3).mail["Subject"] == "Your password was changed"
