"""Who was erased stands in no table, whoever projects it or does not."""

import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import EmailVerified, UserErased, UserRegistered
from projections.forgetting import forget_everywhere
from projections.rebuilds import hold
from projections.users import USERS
from tests.projections.test_rebuilding import Killed, die_following, rebuild, store, tables

__all__ = ["store"]

EARLIER = "users_v1"
registered = UserRegistered("ada@example.com", "Ada")


async def test_tables_of_earlier_versions_lose_the_erased_and_keep_the_others(database, log, view, projector_pool):
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered)
    await log.add(bob, registered, EmailVerified())
    await view.catch_up()
    await view.connection.execute(f"CREATE TABLE views.{EARLIER} AS TABLE views.{USERS.view}")
    await view.connection.execute(f"GRANT SELECT ON views.{EARLIER} TO PUBLIC")
    assert await forget_everywhere(projector_pool, [USERS]) == 0
    await log.add(ada, UserErased())
    await log.forget(ada)
    assert await forget_everywhere(projector_pool, [USERS]) == 1
    assert [row["id"] for row in await database.query(f"SELECT id FROM views.{EARLIER}")] == [bob]
    assert set(await view.rows()) == {ada, bob}, "what is projected learns of it from the log"
    assert await forget_everywhere(projector_pool, [USERS]) == 0


@pytest.mark.parametrize("point", [1, 2, 3])
async def test_what_a_dead_rebuild_has_left_is_dropped(database, log, view, store, projector_pool, point):
    for _ in range(4):
        await log.add(uuid7(), registered, EmailVerified())
    with pytest.raises(Killed):
        await rebuild(store, killed_at=point, range_events=3)
    assert len(await tables(database)) == 2
    await forget_everywhere(projector_pool, [USERS])
    assert await tables(database) == {USERS.view}


async def test_what_somebody_builds_is_left_alone(database, log, view, store, projector_pool):
    await log.add(uuid7(), registered)
    builds = await connect(store.url, "builds")
    await hold(builds, USERS)
    await builds.execute(f"CREATE TABLE views.{USERS.view}_9 (id uuid)")
    await forget_everywhere(projector_pool, [USERS])
    assert f"{USERS.view}_9" in await tables(database)
    await builds.close()


async def test_a_table_that_follows_is_no_leftover(database, log, view, store, projector_pool):
    await log.add(uuid7(), registered)

    await die_following(store)
    await forget_everywhere(projector_pool, [USERS])
    assert await tables(database) == {USERS.view, f"{USERS.view}_1"}
