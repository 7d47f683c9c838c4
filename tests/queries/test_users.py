"""Questions about users, asked with the reader's rights."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest
from uuid_utils.compat import uuid7

from events.session import SessionContinued, SessionEnded, SessionStarted
from events.user import EmailVerified, RoleGranted, UserRegistered
from projections.parking import ViewParked
from projections.positions import ViewBehind
from queries.user_filters import Place
from queries.user_lists import users
from queries.users import VIEW, UserReads, UserView, user_by_id
from tests.projections.log import in_partition


async def registered(log, number):
    people = [uuid7() for _ in range(number)]
    for place, person in enumerate(people):
        await log.add(person, UserRegistered(f"u{place}@example.com"))
    return people


async def test_tells_a_user_in_the_shape_of_the_contract(log, view, reader_pool):
    ada = uuid7()
    position = await log.add(
        ada, UserRegistered("ada@example.com", "Ada", "en-GB"), EmailVerified(), RoleGranted("auditor")
    )
    await view.catch_up()
    user, reached = await user_by_id(reader_pool, ada)
    assert reached == position
    (times,) = await view.database.query("SELECT min(recorded_at), max(recorded_at) FROM stored_events")
    assert user == UserView(
        id=ada,
        kind="person",
        email="ada@example.com",
        email_verified=True,
        display_name="Ada",
        locale="en-GB",
        time_zone=None,
        picture_url=None,
        roles=["auditor"],
        status="active",
        metadata={"own": {}, "admin": {}},
        registered_at=times[0],
        updated_at=times[1],
        last_seen_at=None,
        erasure_due_at=None,
        version=3,
    )
    assert user.registered_at.tzinfo == UTC
    names = "id kind email email_verified display_name locale time_zone picture_url roles status metadata registered_at updated_at last_seen_at erasure_due_at version"
    assert list(msgspec.to_builtins(user)) == names.split()
    assert msgspec.to_builtins(user)["registered_at"].endswith("Z")


async def test_tells_when_somebody_was_last_seen(log, view, reader_pool):
    ada, session = uuid7(), uuid7()
    await log.add(ada, UserRegistered("ada@example.com"), EmailVerified())
    position = await log.add_to_session(ada, session, SessionStarted(ada, "password"), SessionContinued())
    await log.add_to_session(ada, session, SessionEnded())
    await view.catch_up()
    user, _ = await user_by_id(reader_pool, ada)
    (row,) = await view.database.query("SELECT recorded_at FROM stored_events WHERE notification_id = $1", position)
    assert user is not None
    assert (user.last_seen_at, user.version) == (row["recorded_at"], 2)


async def test_tells_of_nobody_and_how_far_it_knows(log, view, reader_pool):
    assert await user_by_id(reader_pool, uuid7()) == (None, 0)
    await registered(log, 2)
    await view.catch_up()
    assert await user_by_id(reader_pool, uuid7()) == (None, 2)


async def test_a_user_reflects_the_position_of_their_own_partition(log, partitioned, reader_pool):
    view = await partitioned(2)
    first, second = in_partition(0, 2), in_partition(1, 2)
    await log.add(first, UserRegistered("one@example.com"))
    await view.catch_up()
    await log.add(second, UserRegistered("two@example.com"))
    view.partitions = 1
    await view.catch_up()
    assert (await user_by_id(reader_pool, first))[1] == 2
    assert await user_by_id(reader_pool, second) == (None, 1)


async def test_a_view_that_is_not_built_yet_has_no_answer(view, reader_pool):
    await view.connection.execute("UPDATE read_models SET serving = NULL WHERE name = 'users'")
    with pytest.raises(ViewBehind):
        await user_by_id(reader_pool, uuid7())
    with pytest.raises(ViewBehind):
        await users(reader_pool)


async def test_those_who_ask_at_once_are_each_told_of_whom_they_asked_for(log, view, reader_pool):
    people = await registered(log, 40)
    await log.add_raw(people[7], "UserBeatified", b"{}")
    await view.catch_up()
    reads, asked = UserReads(reader_pool), [*people, uuid7(), *people]
    found = await asyncio.gather(*(reads.user_by_id(one, VIEW) for one in asked), return_exceptions=True)
    for user_id, answer in zip(asked, found, strict=True):
        if user_id == people[7]:
            assert isinstance(answer, ViewParked)
        else:
            assert answer == await user_by_id(reader_pool, user_id)


async def bewildered(log, view, partitions=1):
    """Two people, of whom the view could not take something that happened to the second."""
    ada, bob = in_partition(0, partitions), in_partition(partitions - 1, partitions)
    await log.add(ada, UserRegistered("ada@example.com"))
    await log.add(bob, UserRegistered("bob@example.com"))
    await log.add_raw(bob, "UserBeatified", b"{}")
    await view.catch_up()
    return ada, bob


async def test_a_user_of_whom_something_could_not_be_taken_is_not_told_as_they_were(log, view, reader_pool):
    ada, bob = await bewildered(log, view)
    with pytest.raises(ViewParked):
        await user_by_id(reader_pool, bob)
    user, reached = await user_by_id(reader_pool, ada)
    assert (user is not None, reached) == (True, 3)


async def test_nor_is_a_user_who_is_not_there_yet_told_to_be_nobody(log, view, reader_pool):
    bob = uuid7()
    await log.add_raw(bob, "UserBeatified", b"{}")
    await view.catch_up()
    with pytest.raises(ViewParked):
        await user_by_id(reader_pool, bob)


async def test_lists_leave_them_out_and_say_how_many_they_are(log, partitioned, reader_pool):
    ada, bob = await bewildered(log, await partitioned(2), 2)
    page = await users(reader_pool)
    assert ([user.id for user in page.items], page.left_out) == ([ada], 1)
    assert bob > ada
    page = await users(reader_pool, after=Place(bob, at=datetime.now(UTC)))
    assert ([user.id for user in page.items], page.left_out) == ([ada], 1)
