"""Accounts of programs: made by administrators, entered by API keys alone."""

from datetime import timedelta

import pytest

from commands.create_service_account import CreateServiceAccount
from commands.errors import AddressNotProved, InvalidLabel, NoSuchUser
from commands.grant_role import GrantRole
from commands.issue_api_key import IssueApiKey
from commands.lapse_registration import LapseRegistration
from commands.request_password_reset import RequestPasswordResetOf
from commands.request_verification import RequestVerification
from events.user import (
    AdministratorsMetadataChanged,
    EmailVerified,
    RoleGranted,
    ServiceAccountCreated,
    UserRegistered,
    UserReinstated,
    UserSuspended,
)
from tests.commands.test_api_keys import ADA
from tests.support import NOON

MADE = ServiceAccountCreated("billing")


def test_is_made_with_what_it_is_for():
    assert CreateServiceAccount(" billing ").decide() == [MADE]
    noted = AdministratorsMetadataChanged((("description", "sends invoices"),))
    assert CreateServiceAccount("billing", "sends invoices").decide() == [MADE, noted]


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_refuses_names_that_do_harm(name):
    with pytest.raises(InvalidLabel):
        CreateServiceAccount(name).decide()


def test_cannot_be_signed_in_to_and_acts_while_it_is_not_suspended(given):
    assert (given(MADE).user.may_sign_in, given(MADE).user.may_act) == (False, True)
    assert not given(MADE, UserSuspended()).user.may_act
    assert given(MADE, UserSuspended(), UserReinstated()).user.may_act
    assert not given(UserRegistered("ada@example.com")).user.may_act


def test_has_no_address_that_anything_is_mailed_to(given):
    given(MADE).when(lambda user: RequestVerification(ADA, oneself=False).decide(user, NOON)).then_nothing()
    given(MADE).when(lambda user: RequestPasswordResetOf(ADA).decide(user, NOON)).then_nothing()
    given(MADE).when(lambda user: LapseRegistration(ADA).decide(user, NOON + timedelta(days=9), 72)).then_nothing()


def test_may_be_given_roles_but_not_administer(given):
    given(MADE).when(GrantRole(ADA, "auditor")).then(RoleGranted("auditor"))
    given(MADE).when(GrantRole(ADA, "administrator")).then_refused(AddressNotProved)


def test_is_issued_keys_by_others_and_people_are_not(given):
    def asked(user):
        return IssueApiKey(ADA, "x", ("account:read",), 1, for_service=True).decide(user, 0, NOON, 365)

    assert len(asked(given(MADE).user)) == 1
    given(UserRegistered("ada@example.com"), EmailVerified()).when(asked).then_refused(NoSuchUser)
    given(MADE, UserSuspended()).when(asked).then_refused(NoSuchUser)
