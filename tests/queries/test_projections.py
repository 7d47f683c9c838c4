"""How far projections are, asked with the reader's rights."""

from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import EmailVerified, RoleGranted, UserRegistered, VerificationRequested
from projections.checkpoints import prepare, take
from projections.heartbeat import holders
from queries.parked_events import parked_events
from queries.projections import projections
from tests.projections.log import in_partition
from tests.projections.test_engine import TAGS

registered = UserRegistered("ada@example.com")


async def test_tells_how_far_each_partition_is_and_by_what_it_is_behind(log, partitioned, reader_pool):
    view = await partitioned(2)
    first, second = in_partition(0, 2), in_partition(1, 2)
    await log.add(first, registered, EmailVerified())
    await view.catch_up()
    head = await log.add(second, registered, EmailVerified(), VerificationRequested())
    found = await projections(reader_pool)
    assert found.position == head
    (users,) = found.items
    assert (users.name, users.table, users.version) == ("users", view.model.consumer, int(view.model.consumer[-1]))
    assert [(part.position, part.behind, part.taken) for part in users.partitions] == [(2, 0, 2), (2, 3, 0)]
    assert [part.behind_seconds > 0 for part in users.partitions] == [False, True]
    assert (users.position, users.behind, users.parked) == (2, 3, 0)
    assert users.behind_seconds == users.partitions[1].behind_seconds
    assert 0 < users.rate <= 0.2, "two events within ten seconds"


async def test_events_of_no_concern_count_as_taken_in(database, log, connection, reader_pool):
    await prepare(connection, {"users_v2": 1}, {"emails": 1})
    await log.add(uuid7(), registered, EmailVerified(), RoleGranted("auditor"))
    found = {item.name: item for item in (await projections(reader_pool)).items}
    assert (found["emails"].behind, found["emails"].table, found["emails"].version) == (1, None, None)
    assert found["users"].behind == 3
    await database.query("UPDATE checkpoints SET position = 1")
    found = {item.name: item for item in (await projections(reader_pool)).items}
    assert (found["emails"].behind, found["emails"].behind_seconds) == (0, 0)


async def test_what_is_far_away_is_counted_as_if_all_of_it_mattered(log, connection, reader_pool, monkeypatch):
    from queries import projections as module

    monkeypatch.setattr(module, "_QUESTION", module._QUESTION.replace(str(module.LOOKS_AT), "4"))
    await prepare(connection, {"users_v2": 2}, {})
    await log.add(in_partition(0, 2), *[registered] * 3)
    await log.add(in_partition(1, 2), *[registered] * 3)
    (users,) = (await projections(reader_pool)).items
    assert [part.behind for part in users.partitions] == [3 + 2, 1 + 2]
    assert all(part.behind_seconds > 0 for part in users.partitions)


async def test_a_consumer_that_this_version_does_not_know_is_behind_by_everything(log, connection, reader_pool):
    await prepare(connection, {"strangers_v7": 1}, {"telegrams": 1})
    await log.add(uuid7(), registered, EmailVerified())
    found = (await projections(reader_pool)).items
    assert [(item.name, item.version, item.behind) for item in found] == [("strangers", 7, 2), ("telegrams", None, 2)]


async def test_tells_who_holds_a_partition(database, log, partitioned, reader_pool):
    view = await partitioned(2)
    holder = await connect(database.url("projector"), "muster worker example:17")
    assert await take(holder, view.model.consumer, 1)
    (users,) = (await projections(reader_pool)).items
    assert [part.held_by for part in users.partitions] == [None, "example:17"]
    assert await holders(reader_pool)
    await holder.close()


async def test_before_any_worker_came_there_is_nothing_to_tell(database, reader_pool):
    found = await projections(reader_pool)
    assert (found.items, found.position) == ([], 0)


@pytest.fixture
async def tripped(log, partitioned):
    """A view that could not take the third event of two people."""
    view = await partitioned(1, TAGS)
    people = [uuid7(), uuid7()]
    for person in people:
        await log.add(person, registered, RoleGranted("one"), RoleGranted("trip"), RoleGranted("two"))
    await view.catch_up()
    return people


async def test_tells_what_is_parked_and_why_page_by_page(tripped, reader_pool):
    page = await parked_events(reader_pool, "tags", limit=3)
    assert [(event.position, event.key, event.type) for event in page.items] == [
        (3, tripped[0], "RoleGranted"),
        (4, tripped[0], "RoleGranted"),
        (7, tripped[1], "RoleGranted"),
    ]
    assert page.items[0].cause.startswith(f"RuntimeError in tag, line {_line()} of")
    assert page.items[1].cause == "An earlier event of the same key is parked."
    assert (page.position, page.items[0].table) == (8, "tags_v3")
    page = await parked_events(reader_pool, "tags", after=page.next, limit=3)
    assert ([event.position for event in page.items], page.next) == ([8], None)
    assert len((await parked_events(reader_pool, None)).items) == 4
    assert (await parked_events(reader_pool, "users")).items == []


def _line() -> int:
    source = (Path(__file__).parents[1] / "projections" / "test_engine.py").read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(source, start=1) if "made me trip" in line)
