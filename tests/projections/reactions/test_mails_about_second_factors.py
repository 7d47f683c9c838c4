"""Given a user's history, then what is written about second factors, and when nothing is."""

import pytest

from events.user import (
    RecoveryCodesIssued,
    RecoveryCodeUsed,
    SecondFactorRefused,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
)
from projections.reactions.emails import Obsolete
from tests.projections.reactions.letters import PROVED, Asked

CONFIRMED = (*PROVED, TotpEnrolled(), TotpConfirmed(), RecoveryCodesIssued(10))


def test_the_owner_is_told_of_a_factor_that_was_added_and_of_one_that_was_removed():
    added, removed = Asked(*CONFIRMED, answer=4), Asked(*CONFIRMED, TotpRemoved())
    assert (added.mail["To"], added.mail["Subject"]) == ("ada@example.com", "A second factor was added to your account")
    assert removed.mail["Subject"] == "A second factor of your account was removed"
    for mail in (added, removed):
        assert "http" not in mail.text.replace("https://muster.example", "")


def test_nothing_is_said_of_a_secret_that_was_never_confirmed():
    with pytest.raises(Obsolete, match="never been confirmed"):
        _ = Asked(*PROVED, TotpEnrolled(), TotpRemoved()).mail


def test_the_first_recovery_codes_are_told_of_with_the_factor_and_later_ones_by_themselves():
    with pytest.raises(Obsolete, match="the first"):
        _ = Asked(*CONFIRMED).mail
    assert Asked(*CONFIRMED, RecoveryCodesIssued(10)).mail["Subject"] == "Your account has other recovery codes now"


def test_a_recovery_code_that_was_used_is_told_of_with_how_many_are_left():
    used = Asked(*CONFIRMED, RecoveryCodeUsed(9))
    assert used.mail["Subject"] == "A recovery code of your account was used"
    assert "left: 9." in used.text
    assert "left: 9." in used.html


def test_the_owner_is_told_when_someone_has_the_password_and_not_the_factor():
    refused = Asked(*CONFIRMED, SecondFactorRefused())
    assert refused.mail["Subject"] == "Someone failed at your second factor"
    assert "They are not in." in refused.text
