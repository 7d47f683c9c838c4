"""A key that is forgotten: gone from the store and from every process, whatever races with it."""

import asyncio

import pytest
from msgspec.structs import replace

from commands.change_display_name import ChangeDisplayName
from commands.errors import InvalidCredentials
from commands.handler import Context
from commands.receipts import idempotent_request
from commands.sign_in import SignIn
from events.append import KeyUse
from events.connections import connect
from events.data_keys import FORGOTTEN_CHANNEL, DataKeys
from events.errors import Conflict
from events.event import Actor
from events.personal import Forgotten
from events.store import read_stream
from events.tail import Wakeups
from tests.events.test_committer import verified
from tests.muster import PASSWORD
from tests.support import until


async def forget(muster, user_id):
    """Forget a person's key, as a command that erases them would."""
    key = await muster.database.keys.key_of(muster.pool, user_id)
    assert key is not None
    await muster.handler._committer.commit(replace(verified(), keys=[KeyUse(user_id, key.key_id, forgotten=True)]))


@pytest.fixture
async def elsewhere(muster):
    """The cache of another process, which hears what is announced."""
    keys = DataKeys(muster.database.master)
    wakeups = Wakeups(lambda: connect(muster.database.url("reader"), "tests"), FORGOTTEN_CHANNEL)
    wakeups.on_announcement(keys.heard)
    await wakeups.start()
    yield keys
    await wakeups.stop()


async def test_what_was_sealed_reads_as_forgotten_in_every_process(muster, elsewhere):
    user_id = await muster.registered()
    assert await elsewhere.key_of(muster.pool, user_id) is not None
    await forget(muster, user_id)

    async def heard():
        return elsewhere.fetched(user_id) is None

    await until(heard)
    assert await elsewhere.key_of(muster.pool, user_id) is None
    [registered, *_] = await read_stream(muster.pool, elsewhere, user_id)
    assert registered.event.email == Forgotten()  # type: ignore[attr-defined]


async def test_secrets_and_receipts_go_with_it_and_others_stay(muster):
    ada, bob = await muster.registered(), await muster.registered("bob@example.com")
    for user_id in (ada, bob):
        keyed = Context(Actor("user", user_id), idempotent=idempotent_request(b"s", user_id, "r", "k", b""))
        await muster.handler.handle(ChangeDisplayName(user_id, "Name"), keyed)
    await forget(muster, ada)
    for table in ("secrets", "receipts"):
        rows = await muster.database.query(f"SELECT DISTINCT subject_id FROM {table}")
        assert [row["subject_id"] for row in rows] == [bob]
    muster.database.keys.heard("")
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("ada@example.com", PASSWORD))
    assert await muster.ask(SignIn("bob@example.com", PASSWORD))


async def test_a_tombstone_holds_against_whatever_races(muster):
    user_id = await muster.registered()
    names = [muster.ask(ChangeDisplayName(user_id, f"Ada {number}")) for number in range(30)]
    answers = await asyncio.gather(*names[:15], forget(muster, user_id), *names[15:], return_exceptions=True)
    assert answers[15] is None
    [row] = await muster.database.query(
        "SELECT max(e.notification_id) < (SELECT notification_id FROM stored_events WHERE subject_id <> $1) AS before, "
        "(SELECT wrapped IS NULL FROM data_keys WHERE subject_id = $1) AS tombstone FROM stored_events e "
        "WHERE e.subject_id = $1",
        user_id,
    )
    assert (row["before"], row["tombstone"]) == (True, True)
    recorded = await read_stream(muster.pool, DataKeys(muster.database.master), user_id)
    assert len(recorded) == 2 + sum(answer is None for answer in answers) - 1


async def test_a_key_is_forgotten_once(muster):
    user_id = await muster.registered()
    await forget(muster, user_id)
    with pytest.raises(Conflict):
        await forget(muster, user_id)


async def test_an_answer_from_before_an_announcement_is_not_kept(muster):
    """The question was asked before the key was forgotten, and answered after that was announced."""
    user_id = await muster.registered()
    keys = DataKeys(muster.database.master)

    class Slow:
        async def fetch(self, *question):
            rows = await muster.pool.fetch(*question)
            if not forgotten:
                forgotten.append(True)
                await forget(muster, user_id)
                keys.heard(str(user_id))
            return rows

    forgotten: list[bool] = []
    await keys.fetch(Slow(), [user_id])
    assert keys.fetched(user_id) is None


async def test_a_command_finds_the_key_gone_though_its_process_did_not_hear(muster):
    user_id = await muster.registered()
    await forget(muster, user_id)
    assert muster.database.keys.fetched(user_id) is not None
    with pytest.raises(LookupError, match="does not say that they were erased"):
        await muster.ask(ChangeDisplayName(user_id, "Ada"))
    assert muster.database.keys.fetched(user_id) is None
