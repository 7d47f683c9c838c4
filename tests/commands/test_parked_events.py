"""What is decided about events that a read model could not take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from commands.discard_parked_event import DiscardParkedEvent
from commands.errors import NoSuchParkedEvent, NoSuchReadModel
from commands.handler import Context
from commands.projection import Decisions, fold
from commands.retry_parked_events import RetryParkedEvents
from events.event import Actor, Event
from events.projection import STREAM_TYPE, ParkedEventDiscarded, ParkedEventsRetried, stream_id
from queries.history import history as events_of_the_log
from tests.support import History

ADA, BOB = uuid7(), uuid7()
OPERATOR = Context(Actor("operator"), reason="ada@example.com asked for it")


def decided(*events: Event) -> Decisions:
    return fold(History(STREAM_TYPE, stream_id("users")).of(*events))


def test_a_retry_is_for_what_is_parked():
    ask = RetryParkedEvents("users", ADA)
    assert ask.decide(decided(), 7) == [ParkedEventsRetried("users", ADA)]
    assert ask.decide(decided(), None) == []


@pytest.mark.parametrize("key", [ADA, None])
def test_asking_twice_for_a_retry_that_is_still_to_be_done_records_nothing(key):
    ask = RetryParkedEvents("users", key)
    asked = decided(ParkedEventsRetried("users", key))
    assert ask.decide(asked, 0) == []
    assert ask.decide(asked, 1) == [ParkedEventsRetried("users", key)], "that one was done, and did not help"


def test_a_retry_of_everything_is_one_of_each_and_not_the_other_way_about():
    assert RetryParkedEvents("users", ADA).decide(decided(ParkedEventsRetried("users", None)), 0) == []
    assert RetryParkedEvents("users").decide(decided(ParkedEventsRetried("users", ADA)), 0) != []
    assert RetryParkedEvents("users", BOB).decide(decided(ParkedEventsRetried("users", ADA)), 0) != []


def test_a_parked_event_is_discarded_once():
    ask = DiscardParkedEvent("users", 17)
    assert ask.decide(decided(), ADA) == [ParkedEventDiscarded("users", 17)]
    for still_parked in (ADA, None):
        assert ask.decide(decided(ParkedEventDiscarded("users", 17)), still_parked) == []


decisions = st.lists(
    st.one_of(
        st.builds(ParkedEventsRetried, st.just("users"), st.sampled_from([ADA, BOB, None])),
        st.builds(ParkedEventDiscarded, st.just("users"), st.integers(1, 3)),
    ),
    max_size=6,
)
asked = st.one_of(
    st.builds(
        lambda command, reached: (
            lambda decisions, head: command.decide(decisions, None if reached is None else min(reached, head))
        ),
        st.builds(RetryParkedEvents, st.just("users"), st.sampled_from([ADA, BOB, None])),
        st.none() | st.integers(0, 6),
    ),
    st.builds(
        lambda command, key: lambda decisions, _head: command.decide(decisions, key),
        st.builds(DiscardParkedEvent, st.just("users"), st.integers(1, 3)),
        st.sampled_from([ADA, None]),
    ),
)


@given(decisions, asked)
def test_whatever_was_decided_asking_twice_records_nothing_the_second_time(past, decide):
    try:
        events = decide(decided(*past), len(past))
    except NoSuchParkedEvent:
        return
    assert decide(decided(*past, *events), len(past)) == []


def test_what_is_not_parked_is_not_discarded():
    with pytest.raises(NoSuchParkedEvent):
        DiscardParkedEvent("users", 18).decide(decided(ParkedEventDiscarded("users", 17)), None)


def name_and_version(table: str) -> tuple[str, int]:
    name, _, version = table.partition("_v")
    return name, int(version.partition("_")[0])


async def parked(database, *positions: int, table: str = "users_v2", reached: int = 0):
    await database.query("INSERT INTO read_models VALUES ($1, $2) ON CONFLICT DO NOTHING", *name_and_version(table))
    await database.query("INSERT INTO checkpoints VALUES ($1, 0, 1, $2)", table, reached)
    for position in positions:
        await database.query("INSERT INTO parked_events VALUES ($1, $2, 0, $3, 'cause')", table, position, ADA)


async def test_is_recorded_in_the_read_models_stream_about_the_user_with_the_reason_sealed(muster, database):
    user_id = await muster.registered()
    await parked(database, 2)
    await database.query("UPDATE parked_events SET key = $1", user_id)
    for command in (DiscardParkedEvent("users", 2), RetryParkedEvents("users", user_id), RetryParkedEvents("users")):
        for _ in range(2):
            outcome = await muster.handler.handle(command, OPERATOR)
        assert not outcome.events
    rows = await database.query(
        "SELECT * FROM stored_events WHERE stream_type = 'projection' ORDER BY originator_version"
    )
    assert [row["topic"] for row in rows] == ["ParkedEventDiscarded", "ParkedEventsRetried", "ParkedEventsRetried"]
    assert {row["originator_id"] for row in rows} == {stream_id("users")}
    assert [row["subject_id"] for row in rows] == [user_id, user_id, None]
    assert not any("ada@example.com" in row["metadata"] for row in rows)
    shown = (await events_of_the_log(muster.pool, muster.database.keys, after=rows[0]["notification_id"] - 1)).items
    assert {event.reason for event in shown} == {OPERATOR.reason}
    assert {event.actor for event in shown} == {Actor("operator")}


async def test_all_tables_of_a_read_model_are_meant_and_no_others(muster, database):
    await parked(database, 2, table="users_v2_1", reached=5)
    await parked(database, 3, table="users_by_day_v1", reached=5)
    assert (await muster.handler.handle(DiscardParkedEvent("users", 2), OPERATOR)).events
    with pytest.raises(NoSuchParkedEvent):
        await muster.handler.handle(DiscardParkedEvent("users", 3), OPERATOR)
    for name in ("sessions", "users_v2", ".*", ""):
        with pytest.raises(NoSuchReadModel):
            await muster.handler.handle(RetryParkedEvents(name), OPERATOR)
