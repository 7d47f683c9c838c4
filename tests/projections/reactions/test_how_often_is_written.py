"""Given what strangers can bring about, then five mails an hour of each kind, and no kind in the way of another."""

from datetime import timedelta

import pytest

from commands.user import Mail
from events.user import (
    AddressRegisteredAgain,
    DisplayNameChanged,
    EmailChanged,
    EmailChangeRequested,
    PasswordChanged,
    PasswordResetRequested,
    SecondFactorRefused,
    UserLocked,
    UserRegistered,
    VerificationRequested,
)
from projections.reactions.emails import Obsolete
from tests.projections.reactions.letters import PROVED, Asked
from tests.support import NOON

asked_again = VerificationRequested()
ONCE_TOO_OFTEN = [
    (PROVED[0], *[asked_again] * 5),
    *(
        (*PROVED, *[event] * 6)
        for event in (
            AddressRegisteredAgain(),
            EmailChangeRequested("countess@example.org"),
            PasswordResetRequested(),
            UserLocked(NOON + timedelta(hours=3)),
            SecondFactorRefused(),
        )
    ),
]
HOUR = [DisplayNameChanged(str(number)) for number in range(60)]


@pytest.mark.parametrize("events", ONCE_TOO_OFTEN)
def test_the_sixth_mail_within_an_hour_is_not_sent_and_the_next_after_it_is(events):
    assert Asked(*events[:-1]).mail["To"]
    with pytest.raises(Obsolete, match="often enough"):
        _ = Asked(*events).mail
    assert Asked(*events, *HOUR, events[-1]).mail["To"]


@pytest.mark.parametrize("events", ONCE_TOO_OFTEN)
def test_one_kind_of_mail_does_not_hinder_another(events):
    for others in ONCE_TOO_OFTEN:
        if others[-1] not in (events[-1], asked_again):
            assert Asked(*events, others[-1]).mail["To"]
    if events[-1] != asked_again:
        assert Asked(PROVED[0], *events[2:], asked_again).mail["To"]


def test_what_was_mailed_to_the_address_for_a_registration_before_counts_too():
    def registered(times: int, minutes: int) -> UserRegistered:
        at = NOON + timedelta(minutes=1 - minutes)
        return UserRegistered("ada@example.com", mailed={Mail.VERIFICATION: (at,) * times})

    assert Asked(registered(4, 59)).mail["To"]
    with pytest.raises(Obsolete, match="often enough"):
        _ = Asked(registered(5, 59)).mail
    assert Asked(registered(5, 60)).mail["To"]
    with pytest.raises(Obsolete, match="often enough"):
        _ = Asked(registered(4, 58), VerificationRequested()).mail


def test_what_only_its_owner_can_bring_about_is_always_written_of():
    assert Asked(*PROVED, *[PasswordChanged()] * 9).mail["To"] == "ada@example.com"
    back_and_forth = [EmailChanged("a@example.org"), EmailChanged("b@example.org")] * 4
    assert Asked(*PROVED, *back_and_forth).mail["To"] == "a@example.org"
