"""What was committed lately is read once for all partitions of a process, and is what each would have found itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from events.connections import connect
from events.data_keys import DataKeys
from events.tail import Wakeups
from events.user import EmailVerified, RoleGranted, UserRegistered, VerificationRequested
from projections import recent as module
from projections.checkpoints import Checkpoint, Overtaken, take
from projections.engine import Projector
from projections.following import Concern, next_events
from projections.moving import move
from projections.recent import Recent
from projections.slices import Slices
from tests.projections.test_engine import TAGS
from tests.support import until

EVENTS = (UserRegistered("ada@example.com"), EmailVerified(), RoleGranted("auditor"), VerificationRequested())
CONCERNS = (
    Concern(frozenset({"UserRegistered", "RoleGranted"}), strange=True),
    Concern(frozenset({"EmailVerified"})),
    Concern(frozenset()),
)


@pytest.fixture
async def wakeups(database) -> AsyncIterator[Wakeups]:
    made = Wakeups(lambda: connect(database.url("projector"), "wakeups"))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def recent(database, projector_pool, wakeups) -> Recent:
    return Recent(projector_pool, wakeups, database.keys)


async def announced(wakeups: Wakeups, work) -> None:
    """Return when what was committed is known to have been announced."""
    with wakeups.woken() as woken:
        await work
        await woken.wait()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    commits=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=12),
    page=st.integers(1, 4),
    limit=st.integers(1, 5),
    partitions=st.integers(1, 3),
)
async def test_each_partition_finds_what_it_would_have_found_itself(
    database, log, connection, wakeups, projector_pool, monkeypatch, commits, page, limit, partitions
):
    """From any position, with as little as may be kept: what is known here is right, and complete as far as it says."""
    monkeypatch.setattr(module, "PAGE", page)
    monkeypatch.setattr(module, "KEPT", page)
    recent = Recent(projector_pool, wakeups, database.keys)
    people = [uuid7() for _ in range(6)]
    for person, what in commits:
        if what == len(EVENTS):
            await log.add(people[person], EVENTS[0])
            await announced(wakeups, log.add_raw(people[person], "FromTheFuture", b"{}"))
        else:
            await announced(wakeups, log.add(people[person], EVENTS[what]))
        end = log_end(await log.positions())
        for concern in CONCERNS:
            for partition in range(partitions):
                for position in range(max(0, end - 6), end + 1):
                    checkpoint = Checkpoint("someone", partition, partitions, position)
                    found = await recent.next_events(connection, checkpoint, concern, limit)
                    own = await next_events(connection, checkpoint, concern)
                    own_rows = [row["notification_id"] for row in own.rows]
                    rows = [row["notification_id"] for row in found.rows]
                    assert rows == [number for number in own_rows if number <= found.position][:limit]
                    assert position <= found.position <= own.position
                    assert found.behind or (rows, found.position) == (own_rows, own.position)


def log_end(positions: list[tuple[int, str]]) -> int:
    return positions[-1][0]


async def test_a_commit_is_read_once_whoever_is_woken_by_it(log, connection, wakeups, recent):
    checkpoints = [Checkpoint("someone", partition, 8, 0) for partition in range(8)]
    for reads in (1, 2):
        await announced(wakeups, log.add(uuid7(), EVENTS[0]))
        found = await asyncio.gather(*(recent.next_events(connection, one, CONCERNS[0]) for one in checkpoints))
        assert recent.reads == reads
        assert {one.position for one in found} == {reads}
        assert sum(len(one.rows) for one in found) == reads


async def test_whoever_is_far_behind_asks_for_themselves(log, connection, wakeups, recent, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 5)
    await announced(wakeups, log.add(uuid7(), *EVENTS[:1] * 30))
    await recent.next_events(connection, Checkpoint("someone", 0, 1, 28), CONCERNS[0])
    reads = recent.reads
    found = await recent.next_events(connection, Checkpoint("other", 0, 1, 0), CONCERNS[0])
    assert (len(found.rows), recent.reads) == (30, reads)


async def test_keys_come_with_what_they_open_and_not_those_that_are_gone(
    database, log, connection, wakeups, projector_pool
):
    keys = DataKeys(database.master)
    recent = Recent(projector_pool, wakeups, keys)
    ada, bob = uuid7(), uuid7()
    await log.add(ada, EVENTS[0])
    await log.add(bob, EVENTS[0])
    await log.forget(bob)
    await recent.next_events(connection, Checkpoint("someone", 0, 1, 0), CONCERNS[0])
    assert keys.fetched(ada)
    assert bob in keys._keys
    assert keys.fetched(bob) is None
    assert not {"key_id", "wrapped"} & {name for fact in recent._facts for name in fact.row}, "kept nowhere else"


async def test_a_reading_that_fails_is_done_again(log, connection, wakeups, recent, monkeypatch):
    await announced(wakeups, log.add(uuid7(), EVENTS[0]))
    checkpoint = Checkpoint("someone", 0, 1, 0)
    with monkeypatch.context() as patch:

        class Gone:
            async def fetch(self, *_asked: object) -> Any:
                raise ConnectionError("gone")

        patch.setattr(recent, "_pool", Gone())
        with pytest.raises(ConnectionError):
            await recent.next_events(connection, checkpoint, CONCERNS[0])
    assert len((await recent.next_events(connection, checkpoint, CONCERNS[0])).rows) == 1


async def test_idle_partitions_are_moved_together(partitioned, log, connection, database, recent):
    view = await partitioned(4, TAGS)
    position = await log.add(uuid7(), VerificationRequested())
    checkpoints = [await take(connection, TAGS.consumer, partition) for partition in range(4)]
    await asyncio.gather(*(recent.move(connection, one, position) for one in checkpoints if one))
    assert await view.positions() == [position] * 4
    assert (await database.query("SELECT count(DISTINCT xmin::text) FROM checkpoints"))[0][0] == 1


async def test_whose_partition_another_moved_is_told(partitioned, log, connection, recent):
    view = await partitioned(2, TAGS)
    position = await log.add(uuid7(), VerificationRequested())
    overtaken, free = [await take(connection, TAGS.consumer, partition) for partition in range(2)]
    assert overtaken
    assert free
    await move(connection, overtaken, position)
    answers = await asyncio.gather(
        *(recent.move(connection, one, position) for one in (overtaken, free)), return_exceptions=True
    )
    assert isinstance(answers[0], Overtaken)
    assert isinstance(answers[1], Checkpoint)
    assert await view.positions() == [position] * 2


async def test_a_partition_that_is_written_to_holds_no_other_up(partitioned, log, connection, database, recent):
    view = await partitioned(2, TAGS)
    position = await log.add(uuid7(), VerificationRequested())
    held, free = [await take(connection, TAGS.consumer, partition) for partition in range(2)]
    assert held
    assert free
    other = await connect(database.url("projector"), "other")
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT FROM checkpoints WHERE partition = 0 FOR UPDATE")
    waiting = asyncio.create_task(recent.move(connection, held, position))
    await recent.move(connection, free, position)
    assert await view.positions() == [0, position]
    await transaction.rollback()
    await waiting
    assert await view.positions() == [position] * 2
    await other.close()


async def test_slices_share_what_they_read(database, log, partitioned, projector_pool, wakeups):
    view = await partitioned(4, TAGS)
    slices = Slices(projector_pool, wakeups, database.keys, lambda _consumer, _events: None)
    projector = Projector(TAGS, database.keys)
    held = [asyncio.create_task(slices.hold(projector, partition, seconds=20)) for partition in range(4)]

    async def there() -> Any:
        return await view.positions() == [position] * 4

    position = await log.add(uuid7(), EVENTS[0])
    await until(there)
    before = slices._recent.reads
    for number in range(1, 6):
        position = await log.add(uuid7(), EVENTS[0])
        await until(there)
        assert slices._recent.reads - before <= number
    assert len(await view.rows()) == 6
    slices.stop()
    await asyncio.gather(*held)
