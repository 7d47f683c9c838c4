"""Being erased: asked for, withdrawn, done; and what a stream folds to afterwards."""

from datetime import timedelta

import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.administrators import Administrators
from commands.erase_user import EraseUser
from commands.errors import LastAdministrator, LinkSpent, NoSuchUser
from commands.request_erasure import CarryOutErasure, RequestErasure
from commands.user import User, fold
from commands.withdraw_erasure import WithdrawErasure, WithdrawErasureByLink
from events.personal import FORGOTTEN
from events.user import (
    DisplayNameChanged,
    EmailChanged,
    EmailVerified,
    ErasureRequested,
    ErasureWithdrawn,
    OwnMetadataChanged,
    RegistrationLapsed,
    RoleGranted,
    UserErased,
    UserRegistered,
    UserSuspended,
)
from tests.support import NOON, History

ADA = uuid7()
registered = UserRegistered("ada@example.com", "Ada")
proved = (registered, EmailVerified())
DUE = NOON + timedelta(days=14)
asked = ErasureRequested(DUE)


def user(*facts) -> User:
    return fold(History(stream_id=ADA).of(*facts))


class TestEraseUser:
    ask = EraseUser(ADA)

    def test_erases(self):
        assert self.ask.decide(user(*proved)) == [UserErased()]

    @pytest.mark.parametrize("past", [(registered,), (registered, RegistrationLapsed()), (*proved, UserSuspended())])
    def test_erases_whatever_became_of_the_account(self, past):
        assert self.ask.decide(user(*past)) == [UserErased()]

    def test_asking_twice_records_nothing(self):
        assert self.ask.decide(user(*proved, UserErased())) == []

    def test_refuses_a_stranger(self):
        with pytest.raises(NoSuchUser):
            self.ask.decide(user())

    def test_leaves_one_who_can_administer(self):
        with pytest.raises(LastAdministrator):
            self.ask.decide_administrators(Administrators(3, 1, frozenset({ADA})))


class TestRequestErasure:
    ask = RequestErasure(ADA, "a password")

    def test_is_due_after_the_time_to_think_better_of_it(self):
        assert self.ask.decide(user(*proved), NOON, 14) == [asked]

    def test_asking_twice_does_not_put_it_off(self):
        assert self.ask.decide(user(*proved, asked), NOON + timedelta(days=3), 14) == []

    @pytest.mark.parametrize("past", [(), (registered,), (*proved, UserSuspended()), (*proved, UserErased())])
    def test_refuses_who_cannot_sign_in(self, past):
        with pytest.raises(NoSuchUser):
            self.ask.decide(user(*past), NOON, 14)


class TestWithdrawErasure:
    ask = WithdrawErasure(ADA)

    def test_keeps_the_account(self):
        assert self.ask.decide(user(*proved, asked)) == [ErasureWithdrawn()]

    @pytest.mark.parametrize("past", [proved, (*proved, asked, ErasureWithdrawn())])
    def test_does_nothing_where_nothing_was_asked_for(self, past):
        assert self.ask.decide(user(*past)) == []

    def test_is_too_late_once_it_is_done(self):
        with pytest.raises(NoSuchUser):
            self.ask.decide(user(*proved, asked, UserErased()))

    def test_by_link_works_once_and_for_the_newest_asking_only(self):
        ask = WithdrawErasureByLink(ADA, "a token")
        assert ask.decide(user(*proved, asked), 3) == [ErasureWithdrawn()]
        for past in [(*proved, asked, ErasureWithdrawn()), (*proved, asked, ErasureWithdrawn(), asked)]:
            with pytest.raises(LinkSpent):
                ask.decide(user(*past), 3)


def test_is_carried_out_when_it_is_due_and_not_before_and_not_once_it_was_withdrawn():
    ask = CarryOutErasure(ADA)
    assert not ask.decide(user(*proved, asked), DUE - timedelta(seconds=1))
    assert ask.decide(user(*proved, asked), DUE)
    assert not ask.decide(user(*proved, asked, ErasureWithdrawn()), DUE)
    assert not ask.decide(user(*proved), DUE)


personal = st.one_of(
    st.sampled_from(["b@example.com", "c@example.com"]).map(EmailChanged),
    st.sampled_from([None, "Countess"]).map(DisplayNameChanged),
    st.just(OwnMetadataChanged((("theme", "dark"),))),
    st.sampled_from([EmailVerified(), RoleGranted("auditor"), asked, UserSuspended()]),
)


@any_of(st.lists(personal, max_size=12))
def test_once_erased_it_makes_no_difference_what_can_still_be_read(facts):
    forgotten = [
        replace(fact, **{name: FORGOTTEN for name in ("email", "display_name", "changes") if hasattr(fact, name)})
        for fact in facts
    ]
    erased = user(registered, *facts, UserErased())
    assert erased == user(UserRegistered(FORGOTTEN, FORGOTTEN, FORGOTTEN), *forgotten, UserErased())
    assert erased == User(id=ADA, version=len(facts) + 2, over=True, erased=True)
    assert not erased.active
