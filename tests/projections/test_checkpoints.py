"""Where consumers begin, and what becomes of them when they are divided anew."""

import asyncio

from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    UserRegistered,
)
from projections.checkpoints import prepare, release, take
from projections.users import USERS
from tests.projections.log import in_partition
from tests.projections.terms import TERMS

registered = UserRegistered("ada@example.com")


async def standing(database, consumer):
    rows = await database.query(
        "SELECT partition, partitions, position FROM checkpoints WHERE consumer = $1 ORDER BY partition", consumer
    )
    return [tuple(row) for row in rows]


async def test_on_a_new_installation_reactions_answer_what_came_before_the_first_worker(database, log, connection):
    await log.add(uuid7(), registered)
    await prepare(connection, {"users_v1": 2}, {"emails": 1})
    assert await standing(database, "users_v1") == [(0, 2, 0), (1, 2, 0)]
    assert await standing(database, "emails") == [(0, 1, 0)]


async def test_a_new_reaction_does_not_answer_what_came_before_it(database, log, connection):
    await prepare(connection, {"users_v1": 1}, {})
    await log.add(uuid7(), registered, EmailVerified())
    await prepare(connection, {"users_v1": 1, "sessions_v1": 1}, {"webhooks": 1})
    assert await standing(database, "webhooks") == [(0, 1, 2)]
    assert await standing(database, "sessions_v1") == [(0, 1, 0)]


async def test_preparing_again_or_by_many_at_once_changes_nothing(database, log, view):
    await log.add(uuid7(), registered)
    await view.catch_up()
    connections = [await connect(database.url("projector"), "worker") for _ in range(5)]
    await asyncio.gather(*(prepare(made, {USERS.consumer: 1}, {"emails": 1}) for made in connections))
    assert await standing(database, USERS.consumer) == [(0, 1, 1)]
    for made in connections:
        await made.close()


async def test_divided_anew_it_begins_at_the_least_position_and_ends_with_the_same_rows(log, partitioned):
    view = await partitioned(2)
    people = [uuid7() for _ in range(20)]
    for person in people:
        await log.add(person, registered, EmailVerified())
    await log.add(people[0], RegistrationSuperseded(people[1]))
    view.partitions = 1
    await view.catch_up()
    view.partitions = 2
    await view.catch_up(most_events=3, steps=1)
    first, second = await view.positions()
    assert first > second > 0
    for partitions in (3, 5, 1):
        await view.set_up(USERS, partitions)
        assert await view.positions() == [second] * partitions
        await log.add(people[partitions], DisplayNameChanged(str(partitions)))
        await view.catch_up(most_events=4, steps=1)
        second = min(await view.positions())
    await view.catch_up()
    rows = await view.rows()
    assert set(rows) == set(people[1:])
    assert [rows[people[n]]["display_name"] for n in (1, 2, 3, 5)] == ["1", None, "3", "5"]
    assert {row["status"] for row in rows.values()} == {"active"}


async def test_divided_anew_a_key_whose_rows_are_all_closed_knows_what_it_has_seen(log, partitioned):
    view = await partitioned(2, TERMS)
    ada, bob = in_partition(0, 2), in_partition(1, 2)
    await log.add(ada, registered, RoleGranted("auditor"))
    await view.catch_up()
    await log.add(ada, EmailVerified(), RoleRevoked("auditor"))
    await log.add(bob, registered, RoleGranted("auditor"))
    view.partitions = 1
    await view.catch_up()
    view.partitions = 2
    before = await view.whole([ada])
    await view.set_up(TERMS, 3)
    assert await view.positions() == [2, 2, 2]
    await view.catch_up(most_events=1)
    assert await view.whole([ada]) == before
    assert len(await view.all_of(bob)) == 1


async def test_divided_anew_it_remembers_how_far_it_had_come(database, log, partitioned):
    view = await partitioned(2)
    for _ in range(9):
        await log.add(uuid7(), registered)
    await view.catch_up(most_events=2, steps=1)
    reached = max(await view.positions())
    for partitions in (3, 2):
        await view.set_up(USERS, partitions)
        rows = await database.query("SELECT DISTINCT replayed_to FROM checkpoints WHERE consumer = $1", USERS.consumer)
        assert [row["replayed_to"] for row in rows] == [reached]
    checkpoint = await take(view.connection, USERS.consumer, 0)
    assert checkpoint
    assert (checkpoint.position, checkpoint.replaying) == (min(await view.positions()), checkpoint.position < reached)
    await release(view.connection, USERS.consumer, 0)
    await view.catch_up()
    checkpoint = await take(view.connection, USERS.consumer, 0)
    assert checkpoint
    assert not checkpoint.replaying


async def test_what_is_laid_aside_moves_with_its_key(log, partitioned):
    view = await partitioned(3)
    ada = uuid7()
    await log.add(ada, registered)
    await log.add_raw(ada, "UserBeatified", b"{}")
    await view.catch_up()
    await view.set_up(USERS, 2)
    later = await log.add(ada, EmailVerified())
    await view.catch_up()
    assert [position for position, _ in await view.parked()] == [2, later]
    assert (await view.rows())[ada]["status"] == "unverified"
