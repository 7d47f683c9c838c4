import pytest
from cryptography.exceptions import InvalidTag
from uuid_utils.compat import uuid4

from commands.signing_key_rotation import ensure_signing_key, rotate_signing_key
from commands.signing_keys import read_signing_keys
from events.connections import connect
from events.data_keys import DataKeys
from events.keys import Keyring, LocalMasterKey
from events.rotation import keys_to_rotate, rotate_keys
from events.store import read_log
from tests.muster import Muster
from tests.support import Database

OLD, NEW = LocalMasterKey(b"a master key for tests, 32 bytes"), LocalMasterKey(b"a newer master key with 32 bytes")


@pytest.fixture
async def owner(database: Database):
    connection = await connect(database.owner_url, "tests")
    yield connection
    await connection.close()


async def test_everything_is_readable_under_the_new_master_key_and_no_event_was_touched(
    muster: Muster, owner, monkeypatch
):
    monkeypatch.setattr("events.rotation.PAGE", 2)
    for number in range(5):
        await muster.registered(f"user{number}@example.com")
    await ensure_signing_key(owner, OLD)
    before = await muster.database.query("SELECT state, metadata::text FROM stored_events ORDER BY notification_id")
    keyring = Keyring(NEW, OLD)
    assert await keys_to_rotate(owner, keyring) == 6
    assert sum([count async for count in rotate_keys(owner, keyring)]) == 6
    assert await keys_to_rotate(owner, keyring) == 0
    assert (
        await muster.database.query("SELECT state, metadata::text FROM stored_events ORDER BY notification_id")
        == before
    )
    events = await read_log(muster.pool, DataKeys(NEW), after=0, limit=100)
    assert events == await read_log(muster.pool, muster.database.keys, after=0, limit=100)


async def test_what_was_interrupted_goes_on_and_old_and_new_keys_are_read_meanwhile(muster: Muster, owner, monkeypatch):
    monkeypatch.setattr("events.rotation.PAGE", 2)
    for number in range(5):
        await muster.registered(f"user{number}@example.com")
    keyring = Keyring(NEW, OLD)
    pages = rotate_keys(owner, keyring)
    await anext(pages)
    await pages.aclose()
    assert await keys_to_rotate(owner, keyring) == 3
    assert len(await read_log(muster.pool, DataKeys(keyring), after=0, limit=100)) == 10
    assert sum([count async for count in rotate_keys(owner, keyring)]) == 3


async def test_a_forgotten_key_stays_forgotten(muster: Muster, owner):
    user_id = await muster.registered()
    await owner.execute("UPDATE data_keys SET wrapped = NULL, forgotten_at = now()")
    assert [count async for count in rotate_keys(owner, Keyring(NEW, OLD))] == []
    assert await DataKeys(Keyring(NEW, OLD)).key_of(muster.pool, user_id) is None


async def test_a_key_under_none_of_the_master_keys_is_an_error_and_changes_nothing(muster: Muster, owner):
    await muster.registered()
    with pytest.raises(InvalidTag):
        [count async for count in rotate_keys(owner, NEW)]
    assert await keys_to_rotate(owner, OLD) == 0


async def test_keys_that_sign_are_wrapped_anew_and_those_that_are_retired_need_no_wrapping(owner):
    await ensure_signing_key(owner, OLD)
    asked_at = await owner.fetchval("SELECT clock_timestamp()")
    rotated = await rotate_signing_key(owner, OLD, asked_at=asked_at)
    assert await keys_to_rotate(owner, Keyring(NEW, OLD)) == 1
    assert [count async for count in rotate_keys(owner, Keyring(NEW, OLD))] == [1]
    keys = await read_signing_keys(owner, NEW, asked_at)
    assert [key.key_id for key in keys if key.private] == [rotated.key_id]


def test_a_wrapped_key_is_bound_to_its_id():
    key_id = uuid4()
    wrapped = OLD.wrap(b"k" * 32, key_id)
    assert Keyring(NEW, OLD).unwrap(wrapped, key_id) == b"k" * 32
    with pytest.raises(InvalidTag):
        OLD.unwrap(wrapped, uuid4())
