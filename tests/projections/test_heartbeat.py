"""What is lost is found in locks and checkpoints; slices come and go."""

import asyncio

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.data_keys import DataKeys
from events.tail import Wakeups
from events.user import UserRegistered
from projections.checkpoints import release, take
from projections.engine import Projector
from projections.heartbeat import end_stuck_holders, unheld
from projections.slices import Slices
from projections.users import USERS
from tests.support import until

VIEW = USERS.consumer


async def test_finds_what_nobody_holds(projector_pool, partitioned):
    view = await partitioned(3)
    assert await take(view.connection, VIEW, 1)
    assert await unheld(projector_pool, [VIEW, "another"]) == {(VIEW, 0), (VIEW, 2)}
    await release(view.connection, VIEW, 1)
    assert len(await unheld(projector_pool, [VIEW])) == 3


async def test_ends_a_holder_that_asks_nothing_and_spares_others(database, projector_pool, view):
    stuck = await connect(database.url("projector"), "stuck")
    idle = await connect(database.url("projector"), "idle")
    assert await take(stuck, VIEW, 0)
    transaction = stuck.transaction()
    await transaction.start()
    assert await end_stuck_holders(projector_pool, [VIEW], seconds=60) == 0
    assert await until(lambda: end_stuck_holders(projector_pool, [VIEW], seconds=0.05)) == 1
    await until(lambda: unheld(projector_pool, [VIEW]))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await stuck.execute("SELECT 1")
    await idle.execute("SELECT 1")
    await idle.close()


@pytest.fixture
def steps():
    """What slices stepped over: (consumer, events)."""
    return []


@pytest.fixture
async def slices(database, projector_pool, steps):
    wakeups = Wakeups(lambda: connect(database.url("projector"), "wakeups"))
    await wakeups.start()
    yield Slices(projector_pool, wakeups, database.keys, lambda consumer, events: steps.append((consumer.name, events)))
    await wakeups.stop()


@pytest.fixture
def projector(database):
    return Projector(USERS, DataKeys(database.master))


async def test_a_slice_is_woken_by_each_commit(log, view, slices, steps, projector):
    positions: list[int] = []

    async def stepped() -> bool:
        return len(steps) == len(positions)

    held = asyncio.create_task(slices.hold(projector, 0, seconds=3))
    for _ in range(3):
        positions.append(await log.add(uuid7(), UserRegistered("ada@example.com")))
        await until(stepped)
    assert steps == [(VIEW, 1)] * 3
    slices.stop()
    assert await held is True
    assert await unheld(view.connection, [VIEW]) == {(VIEW, 0)}


async def test_a_second_slice_of_the_same_partition_goes_away_at_once(view, slices, projector):
    first = asyncio.create_task(slices.hold(projector, 0, seconds=0.3))
    await until(lambda: _nobody_misses(view))
    assert await slices.hold(projector, 0) is False
    assert await first is True


async def _nobody_misses(view):
    return not await unheld(view.connection, [VIEW])


async def test_slices_end_when_they_are_told_to(view, slices, projector):
    held = asyncio.create_task(slices.hold(projector, 0, seconds=60))
    await until(lambda: _nobody_misses(view))
    slices.stop()
    assert await asyncio.wait_for(held, 2) is True


async def test_a_slice_that_fails_lets_go_and_says_that_it_held(log, view, slices, projector, monkeypatch):
    async def fails(*_):
        raise RuntimeError

    monkeypatch.setattr(projector, "step", fails)
    assert await slices.hold(projector, 0) is True
    await until(lambda: unheld(view.connection, [VIEW]))
    monkeypatch.undo()
    await log.add(uuid7(), UserRegistered("ada@example.com"))
    assert await slices.hold(projector, 0, seconds=0.1) is True
    assert len(await view.rows()) == 1
