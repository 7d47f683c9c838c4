"""What is mailed about an erasure: when it is done, and how to keep the account; and nothing once it is done."""

from datetime import timedelta

import pytest

from commands.errors import LinkExpired
from commands.links import WITHDRAW_ERASURE, Link, read_link
from events.user import ErasureRequested, ErasureWithdrawn, UserErased, UserSuspended
from projections.reactions.emails import Obsolete
from tests.projections.reactions.letters import ADA, KEY, PROVED, Asked
from tests.support import NOON

DUE = NOON + timedelta(days=14)
asked_for = ErasureRequested(DUE)


def test_the_way_back_is_open_until_it_is_done():
    asked = Asked(*PROVED, asked_for)
    token = asked.token("withdraw-erasure")
    assert read_link(KEY, WITHDRAW_ERASURE, token, DUE - timedelta(seconds=1)) == Link(ADA, 3)
    with pytest.raises(LinkExpired):
        read_link(KEY, WITHDRAW_ERASURE, token, DUE)
    assert "2026-03-15 at 12:00 UTC" in asked.text
    assert Asked(*PROVED, asked_for, UserSuspended(), answer=3).token("withdraw-erasure") == token


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([asked_for, ErasureWithdrawn()], "withdrawn"),
        ([asked_for, ErasureWithdrawn(), asked_for], "withdrawn"),
        ([asked_for, UserErased()], "gone"),
    ],
)
def test_what_makes_no_sense_any_more_is_not_sent(events, reason):
    with pytest.raises(Obsolete, match=reason):
        _ = Asked(*PROVED, *events, answer=3).mail


def test_that_the_account_stays_is_told():
    assert Asked(*PROVED, asked_for, ErasureWithdrawn()).mail["Subject"] == "Your account stays"
