from datetime import timedelta
from uuid import UUID

import pytest

from commands.change_email import ChangeEmail
from commands.claims import rebuild_claims
from commands.register_user import RegisterUser
from commands.release_former_address import ReleaseFormerAddress
from commands.verify_email import VerifyEmail
from events.connections import connect
from events.user import (
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    EmailVerified,
    FormerAddressReleased,
    UserRegistered,
)
from tests.muster import PASSWORD
from tests.support import NOON

ask = ReleaseFormerAddress(UUID(int=1))
ADA, COUNTESS, QUEEN = "ada@example.com", "countess@example.com", "queen@example.com"
registered, proved = UserRegistered(ADA), EmailVerified()
to_countess = (EmailChangeRequested(COUNTESS), EmailChanged(COUNTESS))
to_queen = (EmailChangeRequested(QUEEN), EmailChanged(QUEEN))
RELEASED_AT = NOON + timedelta(hours=72, minutes=4)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_is_released_when_the_change_can_be_undone_no_longer(given):
    given(registered, proved, *to_countess).when(ask, now=RELEASED_AT - MINUTE, hours=72).then_nothing()
    given(registered, proved, *to_countess).when(ask, now=RELEASED_AT, hours=72).then(FormerAddressReleased(ADA))


def test_asking_twice_records_nothing(given):
    past = (registered, proved, *to_countess, FormerAddressReleased(ADA))
    given(*past).when(ask, now=RELEASED_AT, hours=72).then_nothing()


def test_each_has_its_own_time(given):
    past = (registered, proved, *to_countess, *to_queen)
    given(*past).when(ask, now=RELEASED_AT + MINUTE, hours=72).then(FormerAddressReleased(ADA))
    both = FormerAddressReleased(ADA), FormerAddressReleased(COUNTESS)
    given(*past).when(ask, now=RELEASED_AT + 2 * MINUTE, hours=72).then(*both)


@pytest.mark.parametrize("past", [(), (registered,), (registered, proved, *to_countess, EmailChangeUndone(ADA))])
def test_asks_nothing_where_nobody_left_an_address(given, past):
    given(*past).when(ask, now=RELEASED_AT, hours=72).then_nothing()


async def has_moved(muster, user_id, email, version):
    await muster.ask(ChangeEmail(user_id, email, PASSWORD))
    await muster.ask(VerifyEmail(user_id, muster.link(user_id, version)))


async def claims_are_as_the_log_says(muster):
    connection = await connect(muster.database.owner_url, "tests")
    *_, last = [step async for step in rebuild_claims(connection, muster.database.keys, b"claims", repair=False)]
    await connection.close()
    return (last.added, last.removed, last.changed) == (0, 0, 0)


async def test_others_can_have_it_then_and_not_before(muster):
    user_id = await muster.registered(ADA)
    await has_moved(muster, user_id, COUNTESS, version=3)
    await muster.ask(RegisterUser(ADA, PASSWORD))
    assert await muster.ask(ReleaseFormerAddress(user_id)) is False
    muster.now += 73 * HOUR
    assert await muster.ask(ReleaseFormerAddress(user_id)) is True
    assert await muster.ask(ReleaseFormerAddress(user_id)) is False
    assert await claims_are_as_the_log_says(muster)
    assert await muster.registered(ADA) != user_id
    assert len(await muster.database.query("SELECT FROM claims WHERE proven")) == 2


async def test_an_address_that_the_user_has_again_stays(muster):
    user_id = await muster.registered(ADA)
    await has_moved(muster, user_id, COUNTESS, version=3)
    await has_moved(muster, user_id, ADA, version=5)
    muster.now += 73 * HOUR
    assert await muster.ask(ReleaseFormerAddress(user_id)) is True
    assert await muster.ask(ReleaseFormerAddress(user_id)) is False
    assert await claims_are_as_the_log_says(muster)
    assert [row["proven"] for row in await muster.database.query("SELECT proven FROM claims")] == [True]


async def test_another_spelling_of_the_present_address_stays(muster):
    user_id = await muster.registered(ADA)
    await has_moved(muster, user_id, "Ada@Example.com", version=3)
    muster.now += 73 * HOUR
    assert await muster.ask(ReleaseFormerAddress(user_id)) is True
    assert await claims_are_as_the_log_says(muster)
    assert [row["owner_id"] for row in await muster.database.query("SELECT owner_id FROM claims WHERE proven")] == [
        user_id
    ]
