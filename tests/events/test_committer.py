"""Group commit on a real store: who is refused, who is not, and what becomes of those whose connection is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from events.append import Append, ClaimChange, KeyUse, NewEvent, NewReceipt, SecretChange
from events.codec import write_metadata
from events.committer import Committer
from events.connections import connect
from events.errors import Conflict, QueueFull, StoreUnavailable
from events.event import ANONYMOUS, Metadata
from tests.proxy import Proxy
from tests.support import Database, until


def verified(stream: Any = None, version: int = 1, *, count: int = 1) -> Append:
    """A command that appends events to a stream, expecting it to be at the version before."""
    stream, command = stream or uuid7(), uuid7()
    metadata = write_metadata(Metadata(actor=ANONYMOUS, command="Test", correlation_id=command))
    events = [
        NewEvent(stream, "user", number, "EmailVerified", b"{}", stream, metadata)
        for number in range(version, version + count)
    ]
    return Append(command, events, {stream: version - 1})


async def positions(database: Database) -> list[int]:
    rows = await database.query("SELECT notification_id FROM stored_events ORDER BY 1")
    return [row[0] for row in rows]


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[Any]:
    """A committer whose line can be cut: `.committer`, `.proxy`."""
    line = Proxy(database.url("writer"))
    url = await line.start()
    made = Committer(lambda: connect(url, "committer"))
    await made.start()
    yield type("Line", (), {"proxy": line, "committer": made})
    await made.stop()
    await line.stop()


async def test_gives_positions_without_a_gap(committer, database):
    answers = await asyncio.gather(*(committer.commit(verified(count=2)) for _ in range(300)))
    assert sorted(answers) == list(range(2, 601, 2))
    assert await positions(database) == list(range(1, 601))


async def test_many_commands_share_few_transactions(committer, database):
    batches: list[int] = []
    committer.observe = lambda size, _seconds, _waited: batches.append(size)
    await asyncio.gather(*(committer.commit(verified()) for _ in range(300)))
    assert sum(batches) == 300
    assert len(batches) <= 3
    transactions = await database.query("SELECT count(DISTINCT xmin::text) FROM stored_events")
    assert transactions[0][0] == len(batches)


async def test_a_conflict_refuses_its_command_alone(committer, database):
    stream = uuid7()
    await committer.commit(verified(stream))
    good, stale = verified(), verified(stream)
    answers = await asyncio.gather(committer.commit(good), committer.commit(stale), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], Conflict)
    assert answers[1].about == "stream"
    assert await positions(database) == [1, 2]


async def test_two_commands_for_one_stream_in_one_batch_are_ordered(committer):
    stream = uuid7()
    first, second, rival = verified(stream, 1), verified(stream, 2), verified(stream, 1)
    answers = await asyncio.gather(*map(committer.commit, (first, rival, second)), return_exceptions=True)
    assert answers[0] == 1
    assert isinstance(answers[1], Conflict)
    assert answers[2] == 2


@pytest.mark.parametrize("about", ["claim", "secret", "key"])
async def test_what_stands_beside_the_log_is_checked_and_changed_with_it(committer, database, about):
    owner, other = uuid7(), uuid7()
    changes: dict[str, Any] = {
        "claim": [ClaimChange("email", b"k", None, owner)],
        "secret": [SecretChange(owner, "password", owner, 0, b"sealed")],
        "key": [KeyUse(owner, uuid7(), "master", b"wrapped")],
    }
    field = {"claim": "claims", "secret": "secrets", "key": "keys"}[about]
    table = {"claim": "claims", "secret": "secrets", "key": "data_keys"}[about]
    await committer.commit(replace(verified(other), **{field: changes[about]}))
    assert len(await database.query(f"SELECT FROM {table}")) == 1
    with pytest.raises(Conflict) as conflict:
        await committer.commit(replace(verified(), **{field: changes[about]}))
    assert conflict.value.about == about
    assert await positions(database) == [1]


async def test_a_claim_passes_on_and_is_released(committer, database):
    ada, bob = uuid7(), uuid7()
    steps: list[tuple[Any, Any]] = [(None, ada), (ada, bob), (bob, None), (None, ada)]
    for expected, owner in steps:
        await committer.commit(replace(verified(), claims=[ClaimChange("email", b"k", expected, owner)]))
        rows = await database.query("SELECT owner_id FROM claims")
        assert [row[0] for row in rows] == ([owner] if owner else [])


async def test_a_key_that_was_forgotten_is_used_no_more(committer, database):
    subject, key = uuid7(), uuid7()
    await committer.commit(replace(verified(), keys=[KeyUse(subject, key, "master", b"wrapped")]))
    await committer.commit(replace(verified(), keys=[KeyUse(subject, key)]))
    await database.query("UPDATE data_keys SET wrapped = NULL, forgotten_at = now()")
    for use in (KeyUse(subject, key), KeyUse(subject, uuid7(), "master", b"wrapped"), KeyUse(uuid7(), uuid7())):
        with pytest.raises(Conflict):
            await committer.commit(replace(verified(), keys=[use]))


async def test_an_error_is_answered_to_whom_it_belongs(committer, database):
    commands = [verified() for _ in range(20)]
    event = commands[7].events[0]
    commands[7].events[0] = replace(event, metadata="no json")
    answers = await asyncio.gather(*map(committer.commit, commands), return_exceptions=True)
    assert isinstance(answers.pop(7), asyncpg.InvalidTextRepresentationError)
    assert sorted(answer for answer in answers if isinstance(answer, int)) == list(range(1, 20))


async def test_what_cannot_even_be_sent_harms_nobody_else(committer):
    bad = verified()
    bad.events[0] = replace(bad.events[0], topic="a\ud800b")
    answers = await asyncio.gather(committer.commit(verified()), committer.commit(bad), return_exceptions=True)
    assert answers[0] == 1
    assert isinstance(answers[1], Exception)
    assert await committer.commit(verified()) == 2


async def test_refuses_more_than_may_wait(database):
    made = Committer(lambda: connect(database.url("writer"), "committer"), queue_size=10)
    await made.start()
    answers = await asyncio.gather(*(made.commit(verified()) for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(answer, QueueFull) for answer in answers) == 20
    assert made.waiting == 0
    await made.stop()


async def test_a_caller_that_goes_away_does_not_cancel_its_write(committer, database):
    caller = asyncio.create_task(committer.commit(verified()))
    await asyncio.sleep(0)
    caller.cancel()
    await committer.commit(verified())
    assert await positions(database) == [1, 2]


async def test_shutdown_commits_what_waits_and_takes_no_more(database):
    made = Committer(lambda: connect(database.url("writer"), "committer"))
    await made.start()
    waiting = [asyncio.create_task(made.commit(verified())) for _ in range(50)]
    await asyncio.sleep(0)
    await made.stop()
    assert sorted(await asyncio.gather(*waiting)) == list(range(1, 51))
    with pytest.raises(StoreUnavailable):
        await made.commit(verified())


@pytest.mark.parametrize("cut", ["cut_before_request", "cut_before_answer"])
async def test_a_lost_connection_is_resolved_to_the_truth(proxy, database, cut):
    await proxy.committer.commit(verified())
    commands = [verified() for _ in range(10)]
    getattr(proxy.proxy, cut)(commands[0].events[0].stream_id.bytes)
    answers = await asyncio.gather(*map(proxy.committer.commit, commands))
    assert proxy.proxy.cuts == 1
    rows = await database.query("SELECT notification_id, metadata->>'correlation_id' AS command FROM stored_events")
    recorded = {row["command"]: row["notification_id"] for row in rows}
    assert {str(command.command_id): answer for command, answer in zip(commands, answers, strict=True)}.items() <= (
        recorded.items()
    )
    assert await positions(database) == list(range(1, 12))


async def test_a_refusal_whose_answer_was_lost_is_a_refusal_still(proxy, database):
    stream = uuid7()
    await proxy.committer.commit(verified(stream))
    stale = verified(stream)
    proxy.proxy.cut_before_answer(stream.bytes)
    with pytest.raises(Conflict):
        await proxy.committer.commit(stale)
    assert await positions(database) == [1]


async def test_a_client_killed_while_its_append_waits_for_the_lock_is_fenced(proxy, database):
    """The backend would append later, after a look that found nothing: seen, and the reason for the fence."""
    await proxy.committer.commit(verified())
    blocker = await connect(database.url("writer"), "blocker")
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("SELECT pg_advisory_xact_lock(x'6d7573746572'::bigint)")
    command = asyncio.create_task(proxy.committer.commit(verified()))

    async def waiting_backends() -> list[int]:
        rows = await database.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return [row["pid"] for row in rows]

    [lost] = await until(waiting_backends)
    proxy.proxy.cut()

    async def another_waits() -> bool:
        return any(pid != lost for pid in await waiting_backends())

    await until(another_waits)
    assert lost not in await waiting_backends(), "the lost backend is seen ended before the command is tried again"
    await transaction.commit()
    await blocker.close()
    assert await command == 2
    assert await positions(database) == [1, 2]


async def test_the_server_ending_our_backend_is_survived(committer, writer_pool, database):
    waiting = [asyncio.create_task(committer.commit(verified())) for _ in range(50)]
    await asyncio.sleep(0)
    await writer_pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'committer'"
    )
    waiting += [asyncio.create_task(committer.commit(verified())) for _ in range(50)]
    assert sorted(await asyncio.gather(*waiting)) == list(range(1, 101))
    assert await positions(database) == list(range(1, 101))


@pytest.mark.parametrize(("default", "used"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")])
async def test_what_is_acknowledged_is_durable_whatever_the_servers_default(database, default, used):
    await database.query(f"ALTER DATABASE {database.owner_url.rpartition('/')[2]} SET synchronous_commit = {default}")
    made = Committer(lambda: connect(database.url("writer"), "committer"))
    await made.start()
    assert made._connection is not None
    assert await made._connection.fetchval("SHOW synchronous_commit") == used
    await made.stop()


async def test_a_receipt_whose_answer_was_lost_is_found_also_without_events(proxy, database):
    stream, key = uuid7(), b"the key of a receipt, 32 bytes .."
    await proxy.committer.commit(verified(stream))
    command = Append(uuid7(), [], {stream: 1}, receipt=NewReceipt(key, b"f", b"sealed", None, 60))
    proxy.proxy.cut_before_answer(key)
    assert await proxy.committer.commit(command) == 1
    assert proxy.proxy.cuts == 1
    assert len(await database.query("SELECT FROM receipts WHERE position = 1")) == 1
