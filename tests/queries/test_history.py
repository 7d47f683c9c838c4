"""Questions about what happened, asked of the log with the reader's rights."""

import msgspec
import pytest
from uuid_utils.compat import uuid7

from events.append import Append, NewEvent
from events.codec import encode, seal_note, write_metadata
from events.data_keys import DataKeys
from events.event import Actor, Metadata
from events.session import STREAM_TYPE as SESSION
from events.session import SessionStarted
from events.user import DisplayNameChanged, EmailVerified, RoleGranted, UserRegistered
from queries.history import history, history_of_user

FORGOTTEN = {"forgotten": True}


@pytest.fixture
def keys(database):
    """What another process knows of data keys: nothing yet."""
    return DataKeys(database.master)


async def test_tells_what_happened_to_a_user_in_the_shape_of_the_contract(log, reader_pool, keys):
    ada = uuid7()
    await log.add(ada, UserRegistered("ada@example.com", "Ada"), EmailVerified())
    await log.add(uuid7(), UserRegistered("bob@example.com"))
    page = await history_of_user(reader_pool, keys, ada)
    assert ([event.type for event in page.items], page.next, page.position) == (
        ["UserRegistered", "EmailVerified"],
        None,
        3,
    )
    event = msgspec.json.decode(msgspec.json.encode(page.items[0]))
    names = "position stream stream_type version type subject data recorded_at actor command correlation_id causation"
    assert list(event) == [*names.split(), "reason"]
    assert event["data"] == {"email": "ada@example.com", "display_name": "Ada", "locale": None}
    assert event["actor"] == {"type": "anonymous"}
    assert (event["stream"], event["subject"], event["version"], event["command"]) == (str(ada), str(ada), 1, "Test")
    assert event["recorded_at"].endswith("Z")


async def test_someone_who_never_was_has_no_history(log, reader_pool, keys):
    await log.add(uuid7(), UserRegistered("ada@example.com"))
    page = await history_of_user(reader_pool, keys, uuid7())
    assert (page.items, page.next, page.position) == ([], None, 1)


async def test_pages_in_the_order_of_what_happened(log, reader_pool, keys):
    ada = uuid7()
    await log.add(ada, UserRegistered("ada@example.com"), *(DisplayNameChanged(str(n)) for n in range(6)))
    await log.add(uuid7(), UserRegistered("bob@example.com"))
    page = await history_of_user(reader_pool, keys, ada, limit=3)
    seen = [event.version for event in page.items]
    while page.next:
        page = await history_of_user(reader_pool, keys, ada, after=page.next, limit=3)
        seen += [event.version for event in page.items]
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_tells_everything_that_happened_or_what_is_of_some_types(log, reader_pool, keys):
    ada, bob = uuid7(), uuid7()
    await log.add(ada, UserRegistered("ada@example.com"), RoleGranted("auditor"))
    await log.add(bob, UserRegistered("bob@example.com"))
    assert [event.position for event in (await history(reader_pool, keys)).items] == [1, 2, 3]
    page = await history(reader_pool, keys, types=["UserRegistered"])
    assert [event.subject for event in page.items] == [ada, bob]


async def test_tells_of_sessions_and_reasons_and_who_did_it(database, committer, log, reader_pool, keys):
    ada, session = uuid7(), uuid7()
    await log.add(ada, UserRegistered("ada@example.com"))
    key = await database.keys.key_of(reader_pool, ada)
    actor = Actor("user", ada)
    metadata = Metadata(
        actor=actor,
        command="SignIn",
        correlation_id=uuid7(),
        causation=1,
        sealed=seal_note("she asked me to", "reason", session, 1, key),
    )
    new = NewEvent(
        session, SESSION, 1, *encode(SessionStarted(ada, "password"), session, 1, None), ada, write_metadata(metadata)
    )
    await committer.commit(Append(metadata.correlation_id, [new], {session: 0}))
    event = (await history_of_user(reader_pool, keys, ada)).items[1]
    assert (event.stream, event.stream_type, event.actor, event.causation) == (session, "session", actor, 1)
    assert event.reason == "she asked me to"
    await log.forget(ada)
    event = (await history_of_user(reader_pool, DataKeys(database.master), ada)).items[1]
    assert msgspec.to_builtins(event.reason) == FORGOTTEN


async def test_what_was_forgotten_reads_as_forgotten(log, reader_pool, keys):
    ada = uuid7()
    await log.add(ada, UserRegistered("ada@example.com", "Ada"), RoleGranted("auditor"))
    await log.forget(ada)
    first, second = (await history_of_user(reader_pool, keys, ada)).items
    assert first.data == dict.fromkeys(("email", "display_name", "locale"), FORGOTTEN)
    assert second.data == {"role": "auditor"}


@pytest.mark.parametrize(
    ("topic", "state", "clear"),
    [
        ("UserBeatified", b'{"by": "the pope", "sealed": "AAAA"}', {"by": "the pope"}),
        ("UserRegistered", b'{"sealed": "AAAA"}', {}),
        ("RoleGranted", b'{"role": 7}', {"role": 7}),
        ("RoleGranted", b"not json", {}),
    ],
)
async def test_what_cannot_be_read_is_shown_as_far_as_it_can(log, reader_pool, keys, topic, state, clear):
    ada = uuid7()
    await log.add(ada, UserRegistered("ada@example.com"))
    await log.add_raw(ada, topic, state)
    await log.add(ada, EmailVerified())
    events = (await history_of_user(reader_pool, keys, ada)).items
    assert [event.type for event in events] == ["UserRegistered", topic, "EmailVerified"]
    assert events[1].data.pop("unreadable")
    assert events[1].data == clear
    assert events[1].command == "Test"
