"""Given a user's history, then what is written about the address: to whom, with which link, and when no longer."""

from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from commands.errors import LinkExpired
from commands.links import UNDO_EMAIL_CHANGE, VERIFY_EMAIL, Link, read_link
from events.user import (
    AddressRegisteredAgain,
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    FormerAddressReleased,
    PasswordChanged,
    RegistrationLapsed,
    RegistrationSuperseded,
    UserSuspended,
    VerificationRequested,
)
from projections.reactions.emails import Obsolete
from tests.projections.reactions.letters import ADA, KEY, PROVED, Asked
from tests.support import NOON

registered = PROVED[0]
asked_for = EmailChangeRequested("countess@example.org")
changed = (*PROVED, asked_for, EmailChanged("countess@example.org"))
later = (EmailChangeRequested("lovelace@example.net"), EmailChanged("lovelace@example.net"))


def test_a_registration_is_answered_with_a_link_that_proves_the_address():
    asked = Asked(registered)
    assert asked.mail["To"] == "ada@example.com"
    assert read_link(KEY, VERIFY_EMAIL, asked.token("verify-email"), NOON) == Link(ADA, 1)


def test_each_request_is_answered_with_a_link_of_its_own():
    asked = Asked(registered, VerificationRequested())
    assert read_link(KEY, VERIFY_EMAIL, asked.token("verify-email"), NOON) == Link(ADA, 2)


def test_the_owner_of_a_taken_address_is_told_without_a_link_to_act_upon():
    asked = Asked(*PROVED, AddressRegisteredAgain())
    assert asked.mail["Subject"] == "Someone tried to register with your address"
    assert "token" not in asked.mail.as_string()


def test_a_new_address_is_mailed_a_link_that_proves_it_and_the_present_one_is_not():
    asked = Asked(*PROVED, asked_for)
    assert asked.mail["To"] == "countess@example.org"
    assert "ada@" not in asked.raw.decode()
    assert read_link(KEY, VERIFY_EMAIL, asked.token("verify-email"), NOON) == Link(ADA, 3)


def test_the_former_address_is_told_of_the_change_and_can_undo_it():
    asked = Asked(*changed)
    assert asked.mail["To"] == "ada@example.com"
    assert "countess" not in asked.raw.decode(), "whose address it is now is not told"
    assert read_link(KEY, UNDO_EMAIL_CHANGE, asked.token("undo-email-change"), NOON) == Link(ADA, 4)


def test_each_former_address_can_undo_the_change_that_took_it():
    events = (*changed, *later)
    first, second = Asked(*events, answer=4), Asked(*events, answer=6)
    assert (first.mail["To"], second.mail["To"]) == ("ada@example.com", "countess@example.org")
    for asked, version in ((first, 4), (second, 6)):
        token = asked.token("undo-email-change")
        assert read_link(KEY, UNDO_EMAIL_CHANGE, token, NOON) == Link(ADA, version)


def test_a_change_can_be_undone_by_who_was_suspended_meanwhile():
    assert Asked(*changed, UserSuspended(), answer=4).token("undo-email-change")


def test_the_address_that_was_given_back_is_told_without_a_link_to_act_upon():
    asked = Asked(*changed, EmailChangeUndone("ada@example.com"))
    assert asked.mail["To"] == "ada@example.com"
    assert "token" not in asked.mail.as_string()


@pytest.mark.parametrize(
    ("events", "page", "purpose"),
    [
        ([registered], "verify-email", VERIFY_EMAIL),
        ([*PROVED, asked_for], "verify-email", VERIFY_EMAIL),
        ([*changed], "undo-email-change", UNDO_EMAIL_CHANGE),
    ],
)
def test_a_link_is_good_for_three_days_after_what_it_answers(events, page, purpose):
    token = Asked(*events, hours=71).token(page)
    end = NOON + timedelta(minutes=len(events), hours=72)
    assert read_link(KEY, purpose, token, end - timedelta(seconds=1)).version == len(events)
    with pytest.raises(LinkExpired):
        read_link(KEY, purpose, token, end)
    with pytest.raises(Obsolete, match="expired"):
        _ = Asked(*events, hours=73).mail


@pytest.mark.parametrize(
    ("events", "answer", "reason"),
    [
        ([*PROVED], 1, "proved"),
        ([registered, VerificationRequested()], 1, "newer"),
        ([registered, RegistrationSuperseded(uuid7())], 1, "gone"),
        ([registered, RegistrationLapsed()], 1, "gone"),
        ([registered, UserSuspended()], 1, "suspended"),
        ([*PROVED, asked_for, asked_for], 3, "newer"),
        ([*PROVED, asked_for, EmailChangeRequested("lovelace@example.net")], 3, "newer"),
        ([*changed], 3, "made"),
        ([*PROVED, asked_for, PasswordChanged()], 3, "given up"),
        ([*PROVED, asked_for, UserSuspended()], 3, "given up"),
        ([*changed, EmailChangeUndone("ada@example.com")], 4, "undone no longer"),
        ([*changed, *later, EmailChangeUndone("ada@example.com")], 6, "undone no longer"),
        ([*changed, FormerAddressReleased("ada@example.com")], 4, "undone no longer"),
        ([*changed, EmailChangeRequested("ada@example.com"), EmailChanged("ada@example.com")], 4, "undone no longer"),
    ],
)
def test_what_makes_no_sense_any_more_is_not_sent(events, answer, reason):
    with pytest.raises(Obsolete, match=reason):
        _ = Asked(*events, answer=answer).mail


def test_undoing_a_later_change_leaves_the_link_of_an_earlier_one():
    events = (*changed, *later, EmailChangeUndone("countess@example.org"))
    assert Asked(*events, answer=4).mail["To"] == "ada@example.com"
    with pytest.raises(Obsolete, match="undone no longer"):
        _ = Asked(*events, answer=6).mail
