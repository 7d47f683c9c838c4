"""Questions about users, asked with the reader's rights."""

from datetime import UTC

import msgspec
import pytest
from uuid_utils.compat import uuid7

from events.user import DisplayNameChanged, EmailVerified, RegistrationSuperseded, RoleGranted, UserRegistered
from projections.parking import ViewParked
from projections.positions import ViewBehind
from queries.users import UserPage, UserView, user_by_id, users
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
        version=3,
    )
    assert user.registered_at.tzinfo == UTC
    names = "id email email_verified display_name locale time_zone picture_url roles status metadata registered_at updated_at version"
    assert list(msgspec.to_builtins(user)) == names.split()
    assert msgspec.to_builtins(user)["registered_at"].endswith("Z")


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
    assert (await users(reader_pool)).position == 1


async def test_pages_from_the_newest_to_the_oldest(log, view, reader_pool):
    people = await registered(log, 7)
    await view.catch_up()
    seen, after, pages = [], None, 0
    while pages == 0 or after:
        page = await users(reader_pool, after=after, limit=3)
        seen += [user.id for user in page.items]
        after, pages = page.next, pages + 1
        assert page.position == 7
    assert (seen, pages) == (people[::-1], 3)


async def test_a_page_neither_repeats_nor_skips_when_others_register_or_leave_meanwhile(log, view, reader_pool):
    people = await registered(log, 6)
    await view.catch_up()
    first = await users(reader_pool, limit=3)
    await registered(log, 2)
    await log.add(people[3], RegistrationSuperseded(people[0]))
    await log.add(people[0], DisplayNameChanged("Renamed"))
    await view.catch_up()
    second = await users(reader_pool, after=first.next, limit=3)
    assert [user.id for user in first.items + second.items] == people[::-1]
    assert second.next is None


async def test_a_page_that_ends_exactly_with_the_list_is_the_last(log, view, reader_pool):
    await registered(log, 4)
    await view.catch_up()
    page = await users(reader_pool, limit=2)
    page = await users(reader_pool, after=page.next, limit=2)
    assert (len(page.items), page.next) == (2, None)
    assert await users(reader_pool, after=page.items[-1].id, limit=2) == UserPage([], None, 4)


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (10**9, 3)])
async def test_a_limit_is_brought_within_bounds(log, view, reader_pool, asked, given):
    await registered(log, 3)
    await view.catch_up()
    assert len((await users(reader_pool, limit=asked)).items) == given


async def test_an_empty_view_is_empty_and_one_that_is_not_there_yet_is_behind(view, reader_pool):
    assert await users(reader_pool) == UserPage([], None, 0)
    assert await user_by_id(reader_pool, uuid7()) == (None, 0)
    await view.connection.execute("UPDATE read_models SET serving = NULL")
    with pytest.raises(ViewBehind, match="being built"):
        await users(reader_pool)
    with pytest.raises(ViewBehind, match="being built"):
        await user_by_id(reader_pool, uuid7())


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
    page = await users(reader_pool, after=bob)
    assert ([user.id for user in page.items], page.left_out) == ([ada], 1)
