from datetime import timedelta
from uuid import UUID

from commands.errors import AddressTaken
from commands.register_user import RegisterUser
from commands.user import Mail
from events.user import (
    AddressRegisteredAgain,
    EmailVerified,
    RegistrationSuperseded,
    UserRegistered,
)
from tests.support import NOON

registered = UserRegistered("ada@example.com", "Ada")
proved = EmailVerified()
ask = RegisterUser("ada@example.com", "correct horse battery")
someone = UUID(int=7)


def test_registers_whoever_asks_for_a_free_address(given):
    given().when(ask, registration=registered).then(registered)


def test_registers_over_an_address_that_was_never_proved(given):
    given(registered).when(ask, registration=registered).then(registered)


def test_says_nothing_of_an_address_that_is_proved(given):
    given(registered, proved).when(ask, registration=registered).then_nothing()


def test_tells_those_who_may_know_that_the_address_is_taken(given):
    telling = RegisterUser("ada@example.com", "correct horse battery", disclose=True)
    given(registered, proved).when(telling, registration=registered).then_refused(AddressTaken)


def test_notes_tries_at_a_proved_address_five_times_an_hour_at_most(given):
    for times in range(7):
        tried = given(registered, proved, *[AddressRegisteredAgain()] * times)
        asked = tried.when(ask.decide_owner, new_id=someone, now=NOON + timedelta(minutes=59))
        asked.then(*[AddressRegisteredAgain()] * (times < 5))


def test_notes_them_again_after_an_hour(given):
    user = given(registered, proved, *[AddressRegisteredAgain()] * 5).user
    assert not user.may_be_mailed(Mail.REGISTERED_AGAIN, NOON + timedelta(minutes=62))
    assert user.may_be_mailed(Mail.REGISTERED_AGAIN, NOON + timedelta(minutes=63, seconds=1))


def test_what_strangers_bring_about_hinders_no_other_mail(given):
    user = given(registered, proved, *[AddressRegisteredAgain()] * 9).user
    assert user.may_be_mailed(Mail.PASSWORD_RESET, NOON)


def test_supersedes_whoever_never_proved_the_address(given):
    given(registered).when(ask.decide_owner, new_id=someone, now=NOON).then(RegistrationSuperseded(someone))


def test_supersedes_nobody_twice(given):
    gone = RegistrationSuperseded(someone)
    given(registered, gone).when(ask.decide_owner, new_id=someone, now=NOON).then_nothing()
