from datetime import timedelta
from uuid import UUID

import pytest

from commands.claims import rebuild_claims
from commands.errors import InvalidCredentials, LinkSpent
from commands.import_user import ImportUser
from commands.lapse_registration import LapseRegistration, lapsing, lapsing_before, lapsing_count
from commands.register_user import RegisterUser
from commands.sign_in import SignIn
from commands.unit import Rules
from commands.verify_email import VerifyEmail
from events.connections import connect
from events.user import (
    EmailVerified,
    RegistrationLapsed,
    RegistrationSuperseded,
    UserImported,
    UserRegistered,
    VerificationRequested,
)
from tests.muster import PASSWORD
from tests.support import NOON

registered = UserRegistered("ada@example.com")
ask = LapseRegistration(UUID(int=1))
IN_TIME, TOO_LATE = NOON + timedelta(hours=72), NOON + timedelta(hours=72, minutes=1)


def test_lapses_when_its_link_has_expired(given):
    given(registered).when(ask, now=IN_TIME, hours=72).then_nothing()
    given(registered).when(ask, now=TOO_LATE, hours=72).then(RegistrationLapsed())


def test_a_newer_link_gives_it_more_time(given):
    given(registered, VerificationRequested()).when(ask, now=TOO_LATE, hours=72).then_nothing()


@pytest.mark.parametrize("past", [EmailVerified(), RegistrationSuperseded(UUID(int=9)), RegistrationLapsed()])
def test_asks_nothing_of_what_is_proved_or_over(given, past):
    given(registered, past).when(ask, now=TOO_LATE, hours=72).then_nothing()


def test_who_was_imported_stays_proved_or_not(given):
    unproved = UserImported("ada@example.com", email_verified=False)
    given(unproved).when(ask, now=TOO_LATE, hours=72).then_nothing()
    given(unproved, VerificationRequested()).when(ask, now=NOON + timedelta(days=90), hours=72).then_nothing()


def test_knows_nobody_who_never_was(given):
    given().when(ask, now=TOO_LATE, hours=72).then_nothing()


@pytest.mark.parametrize(("verification", "undo"), [(72, 24), (24, 72)])
def test_what_lapses_was_claimed_before_the_shorter_of_both_times(verification, undo):
    rules = Rules(
        claims_key=b"", links_key=b"", devices_key=b"", verification_hours=verification, email_undo_hours=undo
    )
    assert lapsing_before(rules, NOON) == NOON - timedelta(hours=24)


async def test_nobody_who_was_imported_is_looked_at_again_and_again(muster):
    await muster.ask(ImportUser(email="unproved@example.com"))
    await muster.ask(ImportUser(email="proved@example.com", email_verified=True))
    later = muster.now + timedelta(hours=73)
    assert await lapsing_count(muster.pool, later) == 0
    assert [user_id async for user_id in lapsing(muster.pool, later)] == []


async def test_frees_the_address_and_kills_links_and_password(muster, monkeypatch):
    monkeypatch.setattr("commands.lapse_registration.PAGE", 2)
    people = [(await muster.ask(RegisterUser(f"user{n}@example.com", PASSWORD))).user_id for n in range(5)]
    await muster.registered("proved@example.com")
    muster.now += timedelta(hours=73)
    before = muster.now - timedelta(hours=72)
    assert await lapsing_count(muster.pool, before) == 5
    waiting = [user_id async for user_id in lapsing(muster.pool, before)]
    assert sorted(waiting) == sorted(people)
    assert [await muster.ask(LapseRegistration(user_id)) for user_id in waiting] == [True] * 5
    assert [await muster.ask(LapseRegistration(user_id)) for user_id in waiting] == [False] * 5
    assert await lapsing_count(muster.pool, before) == 0
    with pytest.raises(LinkSpent):
        await muster.ask(VerifyEmail(people[0], muster.link(people[0])))
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("user0@example.com", PASSWORD))
    assert len(await muster.database.query("SELECT FROM secrets")) == 1
    connection = await connect(muster.database.owner_url, "tests")
    *_, last = [step async for step in rebuild_claims(connection, muster.database.keys, b"claims")]
    await connection.close()
    assert (last.added, last.removed, last.changed) == (0, 0, 0)
    assert await muster.registered("user0@example.com") not in people
