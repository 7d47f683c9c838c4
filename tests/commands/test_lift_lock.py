from datetime import timedelta
from uuid import UUID

import pytest

from api.conditions import only_at
from api.reasons import StaleVersion
from commands.errors import InvalidCredentials
from commands.sign_in import SignIn
from commands.unlock_user import LiftLock, UnlockUser
from events.user import EmailVerified, RegistrationLapsed, UserLocked, UserRegistered, UserSuspended, UserUnlocked
from tests.muster import PASSWORD, context
from tests.support import NOON

registered, proved = UserRegistered("ada@example.com"), EmailVerified()
UNTIL = NOON + timedelta(minutes=15)
locked = UserLocked(UNTIL)
ask = LiftLock(UUID(int=1))


def test_lifts_the_lock_once_its_time_is_over(given):
    given(registered, proved, locked).when(ask, now=UNTIL - timedelta(seconds=1)).then_nothing()
    given(registered, proved, locked).when(ask, now=UNTIL).then(UserUnlocked())


def test_asking_twice_records_nothing(given):
    given(registered, proved, locked, UserUnlocked()).when(ask, now=UNTIL).then_nothing()


def test_a_newer_lock_has_its_own_time(given):
    newer = UserLocked(UNTIL + timedelta(minutes=15))
    given(registered, proved, locked, newer).when(ask, now=UNTIL).then_nothing()


def test_lifts_the_lock_of_someone_who_is_suspended_too(given):
    given(registered, proved, locked, UserSuspended()).when(ask, now=UNTIL).then(UserUnlocked())


@pytest.mark.parametrize("past", [(), (registered, proved), (registered, locked, RegistrationLapsed())])
def test_asks_nothing_where_there_is_no_lock(given, past):
    given(*past).when(ask, now=UNTIL).then_nothing()


async def test_any_device_signs_in_again(muster):
    user_id = await muster.registered()
    for _ in range(muster.rules.sign_in_attempts):
        with pytest.raises(InvalidCredentials):
            await muster.ask(SignIn("ada@example.com", "wrong horse battery"))
    assert (await muster.topics())[-1] == "UserLocked"
    muster.now += timedelta(minutes=14)
    assert await muster.ask(LiftLock(user_id)) is False
    muster.now += timedelta(minutes=1)
    assert await muster.ask(LiftLock(user_id)) is True
    assert await muster.ask(LiftLock(user_id)) is False
    assert (await muster.topics())[-1] == "UserUnlocked"
    await muster.database.query("UPDATE attempts SET until = now()")  # the database's clock is not turned
    assert (await muster.ask(SignIn("ada@example.com", PASSWORD))).user_id == user_id


async def test_attempts_are_counted_anew_once_an_unlocking_is_recorded_and_not_before(muster):
    user_id = await muster.registered()
    for _ in range(muster.rules.sign_in_attempts):
        with pytest.raises(InvalidCredentials):
            await muster.ask(SignIn("ada@example.com", "wrong horse battery"))

    async def counted():
        return [row["count"] for row in await muster.database.query("SELECT count FROM attempts")]

    spent = await counted()
    await muster.handler.rehearse(UnlockUser(user_id), context)
    with pytest.raises(StaleVersion):
        await muster.ask(only_at(UnlockUser(user_id), user_id, '"1"'))
    assert await counted() == spent == [muster.rules.sign_in_attempts]
    await muster.ask(UnlockUser(user_id))
    assert await counted() == []
