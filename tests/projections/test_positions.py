"""Reading one's own writes: woken when the view is there, and told when it is not there in time."""

import asyncio
import contextlib
import time
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import UserRegistered
from projections.checkpoints import prepare, release, take
from projections.positions import Positions, ViewBehind
from projections.reactions.emails import EMAILS
from projections.users import USERS
from tests.projections.log import in_partition
from tests.proxy import Proxy
from tests.support import until

registered = UserRegistered("ada@example.com")
VIEW = USERS.consumer


@pytest.fixture
async def positions(database, reader_pool):
    made = Positions(lambda: connect(database.url("reader"), "positions"), reader_pool)
    yield made
    await made.stop()


async def test_returns_at_once_when_the_view_is_there(log, view, positions):
    await log.add(uuid7(), registered)
    await view.catch_up()
    await positions.start()
    assert await positions.wait(VIEW, None, 1, 5) == 1
    assert await positions.wait(VIEW, uuid7(), 1, 0) == 1


async def test_is_woken_by_the_step_that_gets_there(log, view, positions):
    await positions.start()
    ada = uuid7()
    position = await log.add(ada, registered)
    waiting = asyncio.gather(*(positions.wait(VIEW, ada, position, 10) for _ in range(100)))
    await asyncio.sleep(0)
    begun = time.monotonic()
    await view.catch_up()
    assert await waiting == [position] * 100
    assert time.monotonic() - begun < 0.9, "they were woken, and did not have to look"


async def test_says_how_far_the_view_is_when_the_time_is_over(log, view, positions):
    await log.add(uuid7(), registered)
    await view.catch_up()
    await positions.start()
    with pytest.raises(ViewBehind) as behind:
        await positions.wait(VIEW, None, 2, 0.05)
    assert (behind.value.position, behind.value.reached) == (2, 1)


async def test_a_list_waits_for_all_partitions_and_a_user_for_one(log, partitioned, positions):
    view = await partitioned(2)
    await positions.start()
    position = await log.add(in_partition(0, 2), registered)
    view.partitions = 1
    await view.catch_up()
    assert await positions.wait(VIEW, in_partition(0, 2), position, 5) == position
    with pytest.raises(ViewBehind):
        await positions.wait(VIEW, None, position, 0.05)
    with pytest.raises(ViewBehind):
        await positions.wait(VIEW, in_partition(1, 2), position, 0.05)
    view.partitions = 2
    await view.catch_up()
    assert await positions.wait(VIEW, None, position, 5) == position


async def test_learns_that_the_partitions_are_others_now(log, view, positions):
    await positions.start()
    await log.add(uuid7(), registered)
    await view.catch_up()
    await positions.wait(VIEW, None, 1, 5)
    await view.set_up(USERS, 3)
    position = await log.add(uuid7(), registered)
    await view.catch_up()
    assert await positions.wait(VIEW, None, position, 5) == position
    assert await positions.wait(VIEW, in_partition(2, 3), position, 0) == position


async def test_a_view_that_nobody_has_made_yet_is_behind_and_then_there(database, log, partitioned, positions):
    await positions.start()
    with pytest.raises(ViewBehind):
        await positions.wait(VIEW, None, 1, 0.01)
    waiting = asyncio.create_task(positions.wait(VIEW, None, 1, 10))
    view = await partitioned(1)
    await log.add(uuid7(), registered)
    await view.catch_up()
    assert await waiting == 1


async def test_hears_again_after_the_connection_was_lost(database, log, view, reader_pool):
    proxy = Proxy(database.url("reader"))
    url = await proxy.start()
    positions = Positions(lambda: connect(url, "positions"), reader_pool)
    await positions.start()
    for _ in range(3):
        position = await log.add(uuid7(), registered)
        proxy.cut()
        await view.catch_up()
        assert await positions.wait(VIEW, None, position, 10) == position
    await positions.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await proxy.stop()


async def test_a_waiter_who_goes_away_leaves_nothing_behind(view, positions):
    await positions.start()
    waiting = [asyncio.create_task(positions.wait(VIEW, None, 2**62, 60)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert positions.waiting == 0


async def test_a_thousand_waiters_cost_the_database_one_look_a_second(log, view, positions):
    await positions.start()
    ada = uuid7()
    position = await log.add(ada, registered)
    begun, looks = time.monotonic(), positions.looks
    waiting = [asyncio.create_task(positions.wait(VIEW, ada, position, 10)) for _ in range(1_000)]
    await asyncio.sleep(1.5)
    await view.catch_up()
    assert await asyncio.gather(*waiting) == [position] * 1_000
    assert positions.looks - looks <= time.monotonic() - begun + 1


async def test_what_is_read_while_partitions_are_divided_anew_is_not_believed(log, partitioned, positions, reader_pool):
    """A subject is in another partition then, and what is announced of one is no news of the other."""
    view = await partitioned(2)
    await positions.start()
    people = [in_partition(0, 2), in_partition(1, 2)]
    for person in people:
        position = await log.add(person, registered)
    await view.catch_up()
    await positions.wait(VIEW, None, position, 5)
    before = await reader_pool.fetch("SELECT consumer, partition, partitions, position FROM checkpoints")
    asked = asyncio.Event()

    class Slow:
        """Answers the first question with what was true when it was asked."""

        async def fetch(self, question):
            if asked.is_set():
                return await reader_pool.fetch(question)
            asked.set()
            await until_divided.wait()
            return before

    until_divided = asyncio.Event()
    positions._pool = Slow()
    positions._look.set()
    await asked.wait()
    await view.set_up(USERS, 3)
    async with asyncio.timeout(5):
        while positions._forgotten < 2:  # noqa: ASYNC110 - the announcement tells nobody else
            await asyncio.sleep(0.005)
    until_divided.set()
    newest = await log.add(in_partition(2, 3), registered)
    await view.catch_up()
    assert await positions.wait(VIEW, None, newest, 5) == newest
    assert len(positions._known[VIEW]) == 3


async def test_those_who_wait_are_sorted_anew_when_partitions_are_others(log, partitioned, positions):
    view = await partitioned(2)
    await positions.start()
    ada = in_partition(5, 6)
    position = await log.add(ada, registered)
    waiting = asyncio.create_task(positions.wait(VIEW, ada, position, 10))
    await asyncio.sleep(0)
    await view.set_up(USERS, 3)
    await view.catch_up()
    assert await waiting == position


async def test_what_is_only_said_is_not_believed_for_long(database, log, view, positions):
    """Anyone with a login can announce anything, and a crash takes back what was announced."""
    await positions.start()
    ada = uuid7()
    position = await log.add(ada, registered)
    await view.catch_up()
    await positions.wait(VIEW, ada, position, 5)
    anyone = await connect(database.url("reader"), "anyone")

    async def believed() -> Any:
        return positions.position(VIEW, ada) == 2**62

    await anyone.execute(f"NOTIFY projected, '{VIEW}:0:{2**62}'")
    await until(believed)
    with pytest.raises(ViewBehind):  # meanwhile it is looked
        await positions.wait(VIEW, None, 2**62 + 1, 1.5)
    assert positions.position(VIEW, ada) == position
    await anyone.execute(f"NOTIFY projected, '{VIEW}:0:{2**62}'")
    await until(believed)
    positions.doubted(VIEW)
    assert await positions.wait(VIEW, ada, position, 5) == position
    assert positions.position(VIEW, ada) == position
    await anyone.close()


async def test_nothing_is_known_once_the_connection_is_lost(database, log, view, reader_pool):
    proxy = Proxy(database.url("reader"))
    url = await proxy.start()
    positions = Positions(lambda: connect(url, "positions"), reader_pool)
    await positions.start()
    position = await log.add(uuid7(), registered)
    await view.catch_up()
    await positions.wait(VIEW, None, position, 5)
    await view.database.query("UPDATE checkpoints SET position = 0")  # as a crash takes it back
    await proxy.stop()
    with pytest.raises(ViewBehind):
        await positions.wait(VIEW, None, position + 1, 1)
    assert positions.position(VIEW) == 0
    await positions.stop()


async def test_a_reaction_which_announces_nothing_is_looked_for_once_for_all_who_wait(log, connection, positions):
    await prepare(connection, {}, {EMAILS.name: 1})
    await positions.start()

    async def react() -> None:
        checkpoint = await take(connection, EMAILS.name, 0)
        assert checkpoint
        await EMAILS.begin(connection, checkpoint)
        await EMAILS.step(connection, checkpoint)
        await release(connection, EMAILS.name, 0)

    async def all_wait() -> Any:
        return positions.waiting == 1_000

    position = await log.add(uuid7(), registered)
    await react()
    begun, looks = time.monotonic(), positions.looks
    known = await asyncio.gather(*(positions.wait(EMAILS.name, None, position, 0) for _ in range(1_000)))
    assert known == [position] * 1_000
    position = await log.add(uuid7(), registered)
    waiting = [asyncio.create_task(positions.wait(EMAILS.name, None, position, 10)) for _ in range(1_000)]
    await until(all_wait)
    await react()
    assert await asyncio.gather(*waiting) == [position] * 1_000
    assert positions.looks - looks <= time.monotonic() - begun + 5
    with pytest.raises(ViewBehind) as behind:
        await positions.wait(EMAILS.name, None, position + 1, 0)
    assert (behind.value.position, behind.value.reached) == (position + 1, position)
