"""Questions about users, asked with the reader's rights."""

from datetime import UTC

import msgspec
from uuid_utils.compat import uuid7

from events.session import SessionContinued, SessionEnded, SessionStarted
from events.user import EmailVerified, RoleGranted, UserRegistered
from queries.users import VIEW, UserView, user_by_id
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
        last_seen_at=None,
        version=3,
    )
    assert user.registered_at.tzinfo == UTC
    names = "id email email_verified display_name locale time_zone picture_url roles status metadata registered_at updated_at last_seen_at version"
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


async def test_a_view_that_is_not_there_yet_has_nobody(view, reader_pool):
    await view.connection.execute(f"DROP TABLE views.{VIEW}")
    assert await user_by_id(reader_pool, uuid7()) == (None, 0)
