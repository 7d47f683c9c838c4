"""What is decided about parked events is done by whoever meets the decision on the log."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from events.append import Append, NewEvent
from events.codec import encode
from events.connections import connect
from events.data_keys import DataKeys
from events.event import Recorded
from events.projection import STREAM_TYPE, ParkedEventDiscarded, ParkedEventsRetried, ProjectionEvent, stream_id
from events.tail import Wakeups
from events.user import RoleGranted, UserRegistered
from projections.engine import Projector
from projections.slices import Slices
from projections.users import USERS
from tests.projections.log import in_partition
from tests.projections.test_engine import TAGS, Tag, TagEvents, tag
from tests.support import until

registered = UserRegistered("ada@example.com", "Ada")


@pytest.fixture
def decide(database, committer):
    """Records a decision about the read model, about a user or about nobody."""
    versions = Counter[UUID]()

    async def decided(decision: ProjectionEvent, subject_id: UUID | None = None) -> int:
        stream = stream_id(decision.name)
        versions[stream] += 1
        encoded = encode(decision, stream, versions[stream], None)
        new = NewEvent(stream, STREAM_TYPE, versions[stream], *encoded, subject_id, "{}")
        return int(await committer.commit(Append(uuid7(), [new], {})))

    return decided


def wiser(row: Tag | None, recorded: Recorded[TagEvents]) -> Tag:
    """Trips over nothing."""
    trips = isinstance(recorded.event, RoleGranted) and recorded.event.role == "trip"
    return row if row and trips else tag(row, recorded)


async def tripped(log, *people):
    """People of whom the third event cannot be taken, and two more follow."""
    for person in people:
        roles = [RoleGranted(role) for role in ("one", "trip", "two", "three")]
        await log.add(person, registered, *roles)


async def tags(view):
    return {key: row["tags"] for key, row in (await view.rows()).items()}


async def test_a_discarded_event_is_passed_over_and_the_later_ones_of_its_key_go_on(log, partitioned, decide):
    view = await partitioned(1, TAGS)
    ada, bob = uuid7(), uuid7()
    await tripped(log, ada, bob)
    await view.catch_up()
    position = await decide(ParkedEventDiscarded("tags", 3), ada)
    await view.catch_up()
    assert await tags(view) == {ada: ["one", "two", "three"], bob: ["one"]}
    assert [place for place, _ in await view.parked()] == [8, 9, 10]
    assert await view.positions() == [position]


async def test_what_is_wrong_twice_is_discarded_twice(log, partitioned, decide):
    view = await partitioned(1, TAGS)
    ada = uuid7()
    await log.add(ada, registered, *(RoleGranted(role) for role in ("trip", "one", "trip", "two")))
    await view.catch_up()
    await decide(ParkedEventDiscarded("tags", 2), ada)
    await view.catch_up()
    assert (await tags(view), [place for place, _ in await view.parked()]) == ({ada: ["one"]}, [4, 5])
    await decide(ParkedEventDiscarded("tags", 4), ada)
    await view.catch_up()
    assert (await tags(view), await view.parked()) == ({ada: ["one", "two"]}, [])


async def test_a_table_that_is_filled_anew_does_without_what_was_discarded(log, partitioned, decide):
    view = await partitioned(1, TAGS)
    ada = uuid7()
    await tripped(log, ada)
    await view.catch_up()
    await decide(ParkedEventDiscarded("tags", 3), ada)
    await view.catch_up()
    live = await tags(view)
    await view.connection.execute("DELETE FROM views.tags_v3; UPDATE checkpoints SET position = 0")
    await view.catch_up(most_events=2, steps=2)
    assert await view.parked() == [], "it is known before the decision is met"
    await view.catch_up()
    assert (await tags(view), await view.parked()) == (live, [])


async def test_a_retry_of_one_key_leaves_the_others(log, partitioned, decide, monkeypatch):
    view = await partitioned(1, TAGS)
    ada, bob = uuid7(), uuid7()
    await tripped(log, ada, bob)
    projector = Projector(TAGS, DataKeys(view.database.master))
    await view.catch_up(projector=projector)
    monkeypatch.setattr(TAGS, "evolve", wiser)
    projector._tried[0] = float("inf")  # it does not try by itself
    await decide(ParkedEventsRetried("tags", bob), bob)
    await view.catch_up(projector=projector)
    assert await tags(view) == {ada: ["one"], bob: ["one", "two", "three"]}
    assert [place for place, _ in await view.parked()] == [3, 4, 5]


@pytest.mark.parametrize("most_events", [1, 2, 5_000])
async def test_a_retry_of_everything_reaches_all_partitions_and_pages(
    log, partitioned, decide, monkeypatch, most_events
):
    view = await partitioned(3, TAGS)
    people = [in_partition(number, 3) for number in (0, 1, 2, 2)]
    await tripped(log, *people)
    projector = Projector(TAGS, DataKeys(view.database.master), most_events=most_events)
    await view.catch_up(projector=projector)
    monkeypatch.setattr(TAGS, "evolve", wiser)
    projector._tried = dict.fromkeys(range(3), float("inf"))
    position = await decide(ParkedEventsRetried("tags", None))
    await view.catch_up(projector=projector)
    assert await tags(view) == {person: ["one", "two", "three"] for person in people}
    assert (await view.parked(), await view.positions()) == ([], [position] * 3)


async def test_what_a_retry_does_not_help_stays_parked_in_order(log, partitioned, decide):
    view = await partitioned(1, TAGS)
    ada = uuid7()
    await tripped(log, ada)
    projector = Projector(TAGS, DataKeys(view.database.master), most_events=1)
    await view.catch_up(projector=projector)
    before = await view.parked()
    await decide(ParkedEventsRetried("tags", ada), ada)
    later = await log.add(ada, RoleGranted("four"))
    await view.catch_up(projector=projector)
    after = await view.parked()
    assert after[:3] == before
    assert [place for place, _ in after[3:]] == [later]
    assert await tags(view) == {ada: ["one"]}


async def test_decisions_about_another_read_model_and_unreadable_ones_pass_by(log, partitioned, decide, committer):
    view = await partitioned(1, TAGS)
    ada = uuid7()
    await tripped(log, ada)
    await view.catch_up()
    before = await view.parked()
    await decide(ParkedEventDiscarded("users", 3), ada)
    stream = stream_id("elsewhere")
    strange = NewEvent(stream, STREAM_TYPE, 1, "ParkedEventsRetried", b'{"class_version":9}', ada, "{}")
    position = await committer.commit(Append(uuid7(), [strange], {}))
    await view.catch_up()
    assert (await view.parked(), await view.positions()) == (before, [position])


async def test_the_checkpoint_tells_how_many_are_parked_and_how_many_were_taken_in(log, partitioned, decide):
    view = await partitioned(2, TAGS)
    ada, bob = in_partition(0, 2), in_partition(1, 2)
    await tripped(log, ada, bob)
    await view.catch_up()

    async def counts():
        rows = await view.database.query("SELECT parked, taken, lately FROM checkpoints ORDER BY partition")
        assert all(0 < row["lately"] <= row["taken"] for row in rows)
        return [(row["parked"], row["taken"]) for row in rows]

    assert await counts() == [(3, 5), (3, 5)]
    await decide(ParkedEventDiscarded("tags", 3), ada)
    await view.catch_up()
    assert [parked for parked, _ in await counts()] == [0, 3]
    await view.set_up(TAGS, 1)
    assert [row["parked"] for row in await view.database.query("SELECT parked FROM checkpoints")] == [3]


async def test_whoever_holds_the_partition_is_woken_by_the_decision(database, log, view, projector_pool, decide):
    """Within the slice, and not when the next one begins."""
    wakeups = Wakeups(lambda: connect(database.url("projector"), "wakeups"))
    await wakeups.start()
    view.model = USERS
    slices = Slices(projector_pool, wakeups, database.keys, lambda _consumer, _events: None)
    holding = asyncio.create_task(slices.hold(Projector(USERS, database.keys), 0, 60))
    ada = uuid7()
    await log.add(ada, registered)
    bad = await log.add_raw(ada, "DisplayNameChanged", b"not json")
    await until(view.parked)
    await decide(ParkedEventDiscarded("users", bad), ada)

    async def freed():
        return not await view.parked()

    await until(freed, 5)
    slices.stop()
    await holding
    await wakeups.stop()


PEOPLE = 3
happenings = st.one_of(
    st.tuples(st.just("role"), st.integers(0, PEOPLE - 1), st.sampled_from(["one", "two", "trip"])),
    st.tuples(st.just("discard"), st.integers(0, 20), st.none()),
    st.tuples(st.just("retry"), st.integers(0, PEOPLE - 1) | st.none(), st.none()),
    st.tuples(st.just("move"), st.integers(1, 3), st.integers(1, 4)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(happenings, max_size=25))
async def test_whenever_it_is_decided_the_rows_are_those_of_one_fold_without_what_was_discarded(
    log, view, decide, told
):
    people = [uuid7() for _ in range(PEOPLE)]
    happened: dict[UUID, list[tuple[int, str]]] = {person: [] for person in people}
    trips, discarded = list[tuple[int, UUID]](), set[int]()
    await view.set_up(TAGS, 1)
    for what, which, more in told:
        if what == "role":
            position = await log.add(people[which], RoleGranted(more))
            happened[people[which]].append((position, more))
            if more == "trip":
                trips.append((position, people[which]))
        elif what == "discard" and trips:
            position, person = trips[which % len(trips)]
            discarded.add(position)
            await decide(ParkedEventDiscarded("tags", position), person)
        elif what == "retry":
            key = None if which is None else people[which]
            await decide(ParkedEventsRetried("tags", key), key)
        elif what == "move":
            await view.set_up(TAGS, which)
            await view.catch_up(more, steps=3)
    await view.catch_up(most_events=2)
    for person, events in happened.items():
        taken = [(position, role) for position, role in events if position not in discarded]
        stop = next((place for place, (_, role) in enumerate(taken) if role == "trip"), len(taken))
        rows = await view.all_of(person)
        assert [list(row.tags) for row in rows] == ([[role for _, role in taken[:stop]]] if stop else [])
        parked = await view.database.query("SELECT position FROM parked_events WHERE key = $1 ORDER BY 1", person)
        assert [row["position"] for row in parked] == [position for position, _ in taken[stop:]]
    counted = await view.database.query("SELECT sum(parked) AS parked FROM checkpoints WHERE consumer = 'tags_v3'")
    assert counted == await view.database.query("SELECT count(*) AS parked FROM parked_events")
