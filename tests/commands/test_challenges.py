"""Challenges: for one purpose, one thing and a short time; what ends those of a sign-in half way."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.challenges import (
    ADD_PASSKEY,
    PASSKEY_SIGN_IN,
    SECOND_STEP,
    STEP_UP,
    Challenge,
    challenge_token,
    read_challenge,
)
from commands.errors import InvalidChallenge, InvalidLink
from commands.links import RESET_PASSWORD, UNLOCK, VERIFY_EMAIL, link_token, read_link
from commands.session import NO_SESSION, Session
from commands.user import fold
from events.user import (
    DisplayNameChanged,
    EmailChangeUndone,
    EmailVerified,
    PasskeyAdded,
    PasskeyRemoved,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    SignedOutEverywhere,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
    UserLocked,
    UserRegistered,
    UserSuspended,
)
from tests.support import NOON, History

KEY = b"k" * 32
ADA, SESSION = UUID(int=1), UUID(int=2)
FIRST = Challenge(ADA, SESSION, 4)
TOKEN = challenge_token(KEY, SECOND_STEP, FIRST, NOON + timedelta(minutes=5))
PAST = (UserRegistered("ada@example.com"), EmailVerified(), TotpEnrolled(), TotpConfirmed())


def holds(*since, session=NO_SESSION):
    return FIRST.holds(fold(History(stream_id=ADA).of(*PAST, *since)), session)


def test_shows_whose_password_was_right_when_and_for_which_session():
    assert read_challenge(KEY, SECOND_STEP, TOKEN, NOON) == FIRST


def test_is_good_until_it_expires():
    assert read_challenge(KEY, SECOND_STEP, TOKEN, NOON + timedelta(seconds=299)) == FIRST
    with pytest.raises(InvalidChallenge):
        read_challenge(KEY, SECOND_STEP, TOKEN, NOON + timedelta(minutes=5))


def test_needs_the_key():
    with pytest.raises(InvalidChallenge):
        read_challenge(b"x" * 32, SECOND_STEP, TOKEN, NOON)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABCDEFGHabcdefgh0123456789-_"))
def test_nothing_in_it_can_be_changed(index, character):
    forged = TOKEN[:index] + character + TOKEN[index + 1 :]
    if forged[:-1] != TOKEN[:-1]:
        with pytest.raises(InvalidChallenge):
            read_challenge(KEY, SECOND_STEP, forged, NOON)


@given(st.text())
def test_nonsense_is_no_challenge(text):
    with pytest.raises(InvalidChallenge):
        read_challenge(KEY, SECOND_STEP, text, NOON)


@pytest.mark.parametrize("purpose", [VERIFY_EMAIL, RESET_PASSWORD, UNLOCK])
def test_it_is_no_link_and_no_link_is_one(purpose):
    with pytest.raises(InvalidLink):
        read_link(KEY, purpose, TOKEN, NOON)
    with pytest.raises(InvalidChallenge):
        read_challenge(KEY, SECOND_STEP, link_token(KEY, purpose, ADA, 4, NOON + timedelta(hours=1)), NOON)


@pytest.mark.parametrize("purpose", [ADD_PASSKEY, PASSKEY_SIGN_IN, STEP_UP])
def test_one_for_something_else_is_none(purpose):
    with pytest.raises(InvalidChallenge):
        read_challenge(KEY, purpose, TOKEN, NOON)


def test_holds_while_nothing_happens_that_ends_it():
    assert holds()
    assert holds(DisplayNameChanged("Countess"), PasswordResetRequested(), PasskeyAdded(UUID(int=7), "A key"))


@pytest.mark.parametrize(
    "event",
    [
        PasswordChanged(),
        PasswordReset(),
        EmailChangeUndone("ada@example.com"),
        SignedOutEverywhere(),
        UserSuspended(),
        UserLocked(NOON),
        TotpRemoved(),
        PasskeyRemoved(UUID(int=7)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_ends_with_whatever_may_mean_that_it_is_in_the_wrong_hands(event):
    assert not holds(event)
    assert not holds(event, TotpEnrolled(), TotpConfirmed())


def test_opens_one_session():
    assert not holds(session=Session(1, ADA))
    assert not holds(session=Session(2, ADA, ended=True))
