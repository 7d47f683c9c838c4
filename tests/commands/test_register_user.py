from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import UNSET

from commands.errors import AddressTaken
from commands.register_user import RegisterUser
from commands.user import Mail
from events.store import read_log
from events.user import (
    AddressRegisteredAgain,
    EmailVerified,
    RegistrationSuperseded,
    UserRegistered,
    VerificationRequested,
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


def test_what_an_address_was_mailed_counts_whoever_registers_with_it_next(given):
    now = NOON + timedelta(minutes=59)
    first = given(registered, *[VerificationRequested()] * 3).user
    carried = first.mailed_lately(now)
    assert [len(times) for times in carried.values()] == [4]
    second = given(UserRegistered("ada@example.com", mailed=carried)).user
    assert not second.may_be_mailed(Mail.VERIFICATION, NOON + timedelta(minutes=10))
    assert second.may_be_mailed(Mail.PASSWORD_RESET, NOON)
    assert second.may_be_mailed(Mail.VERIFICATION, NOON + timedelta(minutes=62, seconds=1))
    assert first.mailed_lately(NOON + timedelta(hours=2)) == {}


async def test_registering_again_and_again_mails_an_address_no_oftener(muster):
    for _ in range(8):
        await muster.ask(RegisterUser("ada@example.com", "correct horse battery"))
        muster.now += timedelta(seconds=1)
    for _ in range(8):  # each before anything was written to the one before it
        muster.now = datetime.now(UTC)
        await muster.ask(RegisterUser("bob@example.com", "correct horse battery"))
    events = await read_log(muster.pool, muster.database.keys, after=0, limit=100)
    made = [one.event for one in events if isinstance(one.event, UserRegistered)]
    assert [len((event.mailed or {}).get(Mail.VERIFICATION, ())) for event in made[:8]] == [0, 1, 2, 3, 4, 5, 5, 5]
    assert {event.mailed for event in made[8:]} == {UNSET}


def test_supersedes_nobody_twice(given):
    gone = RegistrationSuperseded(someone)
    given(registered, gone).when(ask.decide_owner, new_id=someone, now=NOON).then_nothing()
