"""What does not concern a partition is no work: it is skipped, and told of now and then."""

import asyncio
import contextlib
import time

import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.tail import Wakeups
from events.user import UserRegistered, VerificationRequested
from projections.checkpoints import Checkpoint
from projections.engine import TELLS_EVERY_SECONDS, Projector
from projections.following import Next
from projections.idling import Idling
from projections.slices import Slices
from tests.projections.log import in_partition
from tests.projections.test_engine import TAGS
from tests.support import until

CHECKPOINT = Checkpoint("tags_v3", 0, 1, 10)


def test_says_so_at_once_and_then_not_before_some_time_has_passed():
    now = [100.0]
    idling = Idling(2, lambda: now[0])
    idling.begin(CHECKPOINT)
    assert idling.rests(CHECKPOINT, Next([], 11, behind=False)) == 0
    now[0] += 0.5
    assert idling.rests(CHECKPOINT, Next([], 12, behind=False)) == 1.5
    assert idling.looked(CHECKPOINT) == 12
    now[0] += 1.5
    assert idling.rests(CHECKPOINT, Next([], 13, behind=False)) == 0


def test_a_long_way_is_told_as_it_is_gone():
    idling = Idling(2, lambda: 100.0)
    assert [idling.rests(CHECKPOINT, Next([], 10 + n, behind=True)) for n in range(3)] == [0, 0, 0]


def test_what_was_looked_through_is_forgotten_when_the_partition_is_taken_again():
    idling = Idling(2, lambda: 100.0)
    idling.rests(CHECKPOINT, Next([], 12, behind=False))
    idling.begin(CHECKPOINT)
    assert idling.looked(CHECKPOINT) == 10


@pytest.fixture
async def held(database, projector_pool):
    """Holds partitions as a worker does, until the test ends."""
    wakeups = Wakeups(lambda: connect(database.url("projector"), "wakeups"))
    await wakeups.start()
    slices = Slices(projector_pool, wakeups, database.keys, lambda _consumer, _events: None)
    projector = Projector(TAGS, database.keys)

    async def hold(partition: int) -> None:
        while not slices.stopping:
            await slices.hold(projector, partition)

    tasks = list[asyncio.Task[None]]()
    yield lambda partitions: tasks.extend(asyncio.create_task(hold(number)) for number in range(partitions))
    slices.stop()
    await asyncio.gather(*tasks)
    await wakeups.stop()


async def test_idle_partitions_follow_within_milliseconds_and_announce_themselves_seldom(
    database, log, partitioned, held
):
    view = await partitioned(2, TAGS)
    heard = list[str]()
    listener = await connect(database.url("reader"), "listener")
    await listener.add_listener("projected", lambda *said: heard.append(said[-1]))
    held(2)
    busy = in_partition(0, 2)
    position = await log.add(busy, UserRegistered("ada@example.com"))

    async def there():
        return await view.positions() == [position] * 2

    await until(there)
    heard.clear()
    begun = time.monotonic()
    for _ in range(200):
        position = await log.add(busy, VerificationRequested())
    await until(there, 2)
    took = time.monotonic() - begun
    assert len(heard) <= 2 * (took / TELLS_EVERY_SECONDS + 2)

    async def told():
        return any(said.endswith(f":{position}") for said in heard[-2:])

    await until(told)
    with contextlib.suppress(TimeoutError):
        await listener.close(timeout=1)


async def test_a_long_stretch_without_concern_is_crossed_in_one_transaction_a_span(log, partitioned, monkeypatch):
    view = await partitioned(1, TAGS)
    monkeypatch.setattr("projections.following._QUESTION", _of_spans_of(40))
    monkeypatch.setattr("projections.following.SPAN", 40)
    position = await log.add(uuid7(), *[VerificationRequested()] * 100)
    await view.catch_up(steps=1)
    assert await view.positions() == [40]
    await view.catch_up()
    await view.catch_up()
    assert await view.positions() == [position]


def _of_spans_of(events: int) -> str:
    from projections.following import _QUESTION, SPAN

    return _QUESTION.replace(str(SPAN), str(events))


async def test_a_batch_is_what_has_gathered(log, partitioned):
    """As much as there is is taken in one transaction, up to what one statement writes best."""
    view = await partitioned(1, TAGS)
    person = uuid7()
    for events in (1, 7, 60):
        position = await log.add(person, *[UserRegistered("ada@example.com")] * events)
        await view.catch_up(steps=1)
        assert await view.positions() == [position]
    position = await log.add(person, *[UserRegistered("ada@example.com")] * 10)
    await view.catch_up(most_events=4, steps=1)
    assert await view.positions() == [position - 6]
