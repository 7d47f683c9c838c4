"""What a table shows is held against the log: what differs is found, told and put right, and nothing else."""

import asyncio
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import DisplayNameChanged, EmailVerified, RegistrationSuperseded, RoleGranted, UserRegistered
from projections.anew import LAST
from projections.checkpoints import release, take
from projections.moments import NotComparable
from projections.users import USERS
from projections.verifying import Difference, Verifier
from tests.projections.log import in_partition
from tests.projections.terms import TERMS, Term
from tests.projections.test_engine import TAGS
from tests.support import until

registered = UserRegistered("ada@example.com", "Ada")


@pytest.fixture
async def repairing(database):
    made = await connect(database.url("projector"), "repairing")
    yield made
    await made.close()


async def verify(view, repairing=None, **what):
    """What a comparison of the view finds, and all that it tells."""
    found: list[Difference] = []
    verifier = Verifier(view.model, view.database.master, found=found.append)
    return await verifier.verify(view.connection, repairing=repairing, **what), found


async def change(view, sql, *arguments):
    """Do to the view's table what nobody should; the projector may, whose table it is."""
    await view.connection.execute(sql.format(f"views.{view.model.consumer}"), *arguments)


async def test_a_view_that_is_right_is_equal(log, partitioned):
    view = await partitioned(2)
    for number in range(10):
        await log.add(uuid7(), UserRegistered(f"u{number}@example.com"), EmailVerified())
    await log.add(gone := uuid7(), registered)
    await log.add(gone, RegistrationSuperseded(uuid7()))
    await view.catch_up()
    verified, found = await verify(view)
    assert (verified.equal, verified.keys, verified.rows, verified.position, found) == (True, 11, 10, 22, [])


async def test_a_wrong_a_missing_and_an_additional_row_are_told_and_put_right(log, partitioned, repairing):
    view = await partitioned(2)
    ada, bob, eve, nobody = (in_partition(number % 2, 2) for number in range(4))
    for person in (ada, bob, eve):
        await log.add(person, registered, EmailVerified())
    await view.catch_up()
    right = await view.rows()
    await change(view, "UPDATE {} SET email = 'eve@example.com', version = 7 WHERE id = $1", ada)
    await change(view, "DELETE FROM {} WHERE id = $1", bob)
    columns = ", ".join(name for name in right[eve].keys() if name != "id")  # noqa: SIM118 - a record's
    await change(view, "INSERT INTO {0} (id, " + columns + ") SELECT $1, " + columns + " FROM {0} LIMIT 1", nobody)
    verified, found = await verify(view)
    assert not verified.equal
    assert {(difference.key, difference.kind, tuple(difference.columns)) for difference in found} == {
        (ada, "wrong", ("email", "version")),
        (bob, "missing", ()),
        (nobody, "additional", ()),
    }
    wrong = next(difference for difference in found if difference.kind == "wrong")
    assert (wrong.stored["email"], wrong.expected["email"]) == ("eve@example.com", "ada@example.com")
    verified, found = await verify(view, repairing)
    assert (verified.equal, verified.differing_keys, verified.repaired_keys, len(found)) == (True, 3, 3, 3)
    assert await view.rows() == right
    assert (await verify(view))[0].differences == 0


async def test_tells_which_of_several_rows_of_a_key_it_is(log, partitioned, repairing):
    view = await partitioned(1, TERMS)
    ada = uuid7()
    await log.add(ada, RoleGranted("auditor"), RoleGranted("analyst"))
    await view.catch_up()
    await change(view, "UPDATE {} SET others = 9 WHERE role = 'analyst'")
    _, (difference,) = await verify(view, repairing)
    assert difference.identity == {"user_id": ada, "role": "analyst", "begun": 2}
    assert difference.columns == ["others"]
    assert (await verify(view))[0].equal


async def test_however_few_are_looked_at_at_once_the_same_is_found_and_put_right(log, partitioned, repairing):
    view = await partitioned(2, TERMS)
    people = sorted(uuid7() for _ in range(7))
    strangers = [UUID(int=1), UUID(int=people[3].int + 1), LAST]
    for person in people:
        await log.add(person, *map(RoleGranted, ("auditor", "analyst", "administrator")))
    await view.catch_up()

    async def rows() -> dict[UUID, list[Term]]:
        return {key: sorted(rows, key=repr) for key, rows in (await view.whole([*people, *strangers])).items()}

    right = await rows()
    planted = {people[0]: ["missing"], people[2]: ["wrong"], people[4]: ["missing"] * 3, people[6]: ["wrong"]}
    planted |= {stranger: ["additional"] * 3 for stranger in strangers}
    for at_once in range(1, 8):
        await change(view, "DELETE FROM {} WHERE user_id = $1 AND role = 'analyst'", people[0])
        await change(view, "UPDATE {} SET others = 9 WHERE user_id = ANY($1) AND begun = 3", [people[2], people[6]])
        await change(view, "DELETE FROM {} WHERE user_id = $1", people[4])
        copied = "SELECT added, role, begun, others, position FROM {0}, unnest($2::uuid[]) AS added WHERE user_id = $1"
        await change(view, "INSERT INTO {0} (user_id, role, begun, others, position) " + copied, people[1], strangers)
        found: list[Difference] = []
        steps: list[int] = []
        verifier = Verifier(
            view.model, view.database.master, found=found.append, progress=steps.append, at_once=at_once
        )
        verified = await verifier.verify(view.connection, repairing=repairing)
        told = [(difference.key, difference.kind) for difference in found]
        assert told == [(key, kind) for key in sorted(planted) for kind in planted[key]]
        assert (verified.keys, verified.rows, verified.differing_keys, verified.repaired_keys) == (10, 26, 7, 7)
        assert (len(steps) > 1, steps, steps[-1]) == (True, sorted(steps), 10)
        assert await rows() == right


async def test_what_was_not_taken_in_yet_is_no_difference(log, partitioned):
    view = await partitioned(2)
    ada, bob = in_partition(0, 2), in_partition(1, 2)
    await log.add(ada, registered)
    await log.add(bob, registered)
    await view.catch_up()
    await log.add(ada, DisplayNameChanged("Countess"))
    await log.add(bob, DisplayNameChanged("Bob"))
    view.partitions = 1
    await view.catch_up()
    verified, _ = await verify(view)
    assert (verified.equal, verified.position) == (True, 2)


async def test_parked_keys_are_told_and_compared_as_of_before(log, partitioned, repairing):
    view = await partitioned(1, TAGS)
    ada = uuid7()
    await log.add(ada, registered, RoleGranted("auditor"))
    position = await log.add(ada, RoleGranted("trip"))
    await log.add(ada, RoleGranted("analyst"))
    await view.catch_up()
    verified, _ = await verify(view)
    assert (verified.equal, verified.parked) == (True, {ada: position})
    await change(view, "UPDATE {} SET seen = 5")
    verified, _ = await verify(view, repairing)
    assert (verified.differing_keys, verified.equal) == (1, True)
    assert (await view.rows())[ada]["tags"] == ["auditor"]
    assert [parked for parked, _ in await view.parked()] == [position, position + 1]


async def test_somebody_who_is_being_forgotten_is_no_difference(log, view):
    ada = uuid7()
    await log.add(ada, registered)
    await view.catch_up()
    await log.add(ada, RegistrationSuperseded(uuid7()))
    await log.forget(ada)
    verified, found = await verify(view)
    assert (verified.equal, found) == (True, [])
    await view.catch_up()
    assert (await verify(view))[0].equal


async def test_waits_its_turn_to_put_right_and_live_projection_goes_on_from_there(database, log, view, repairing):
    ada = uuid7()
    await log.add(ada, registered)
    await view.catch_up()
    await change(view, "UPDATE {} SET email = 'eve@example.com'")
    holder = await connect(database.url("projector"), "holder")
    assert await take(holder, USERS.consumer, 0)
    putting_right = asyncio.create_task(verify(view, repairing))
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    await until(lambda: database.query(waits))
    assert not putting_right.done()
    await release(holder, USERS.consumer, 0)
    await putting_right
    await holder.close()
    await log.add(ada, EmailVerified())
    await view.catch_up()
    row = (await view.rows())[ada]
    assert (row["email"], row["email_verified"], row["version"]) == ("ada@example.com", True, 2)


async def test_compares_some_keys_only_when_it_is_told_to(log, view):
    people = sorted([uuid7() for _ in range(6)])
    for person in people:
        await log.add(person, registered)
    await view.catch_up()
    await change(view, "DELETE FROM {}")
    _, found = await verify(view, after=people[1], until=people[3])
    assert [difference.key for difference in found] == people[2:4]


async def test_is_not_comparable_while_it_is_divided_anew_or_not_projected(log, partitioned):
    view = await partitioned(2)
    await log.add(in_partition(0, 2), registered)
    view.partitions = 1
    await view.catch_up()
    await view.set_up(USERS, 1)
    with pytest.raises(NotComparable, match="divided"):
        await verify(view)
    await view.catch_up()
    assert (await verify(view))[0].equal
    view.model = USERS.on(f"{USERS.view}_7")
    with pytest.raises(NotComparable, match="not projected"):
        await verify(view)
