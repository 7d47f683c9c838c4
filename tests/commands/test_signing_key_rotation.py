"""Keys that sign access tokens: made, announced, retired, revoked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.signing_key_rotation import (
    NotUnderMasterKey,
    Rotated,
    announce_signing_key,
    ensure_signing_key,
    rotate_signing_key,
)
from commands.signing_keys import SIGNING_KEYS_CHANNEL, VERIFIES_FOR, SigningKey, jwks, read_signing_keys
from events.connections import connect
from events.keys import LocalMasterKey
from tests.support import Database, until


class Keys:
    """The owner's hands on the keys of one database."""

    def __init__(self, database: Database, connection: Any) -> None:
        self.database = database
        self.connection = connection
        self.master = database.master

    async def now(self) -> datetime:
        moment: datetime = await self.connection.fetchval("SELECT clock_timestamp()")
        return moment

    async def rotated(self, asked_at: datetime | None = None, *, revoke: bool = False) -> Rotated:
        asked_at = asked_at or await self.now()
        return await rotate_signing_key(self.connection, self.master, asked_at=asked_at, revoke=revoke)

    async def read(self, later: timedelta = timedelta()) -> list[SigningKey]:
        return await read_signing_keys(self.connection, self.master, datetime.now(UTC) + later)

    async def ids(self, later: timedelta = timedelta()) -> list[str]:
        return [key.key_id for key in await self.read(later)]

    async def signing(self) -> list[str]:
        return [key.key_id for key in await self.read() if key.private]


@pytest.fixture
async def keys(database: Database) -> AsyncIterator[Keys]:
    connection = await connect(database.owner_url, "tests")
    yield Keys(database, connection)
    await connection.close()


@pytest.fixture
async def first(keys: Keys) -> str:
    """The key that the migration makes."""
    await ensure_signing_key(keys.connection, keys.master)
    (key_id,) = await keys.ids()
    return key_id


async def test_the_migration_makes_one_key_and_no_second(keys: Keys, first: str):
    assert not await ensure_signing_key(keys.connection, keys.master)
    (key,) = await keys.read()
    assert key.private is not None
    assert jwks([key])["keys"][0].keys() == {"kty", "crv", "x", "kid", "use", "alg"}


async def test_a_key_under_another_master_key_verifies_only(keys: Keys, first: str):
    keys.master = LocalMasterKey(b"another master key of 32 bytes!!")
    assert [key.private for key in await keys.read()] == [None]
    assert await ensure_signing_key(keys.connection, keys.master)
    assert len(await keys.signing()) == 1


async def test_the_new_key_signs_and_the_old_one_verifies_only(keys: Keys, first: str):
    rotated = await keys.rotated()
    assert rotated.key_id != first
    assert await keys.ids() == [first, rotated.key_id]
    assert await keys.signing() == [rotated.key_id]
    assert [key.key_id for key in rotated.retired] == [first]
    assert rotated.revoked == []


async def test_the_private_half_of_a_retired_key_is_gone(keys: Keys, first: str):
    await keys.rotated()
    rows = await keys.database.query("SELECT key_id, wrapped FROM signing_keys WHERE wrapped IS NULL")
    assert [row["key_id"] for row in rows] == [first]


async def test_a_retired_key_is_told_no_more_when_its_last_token_has_expired(keys: Keys, first: str):
    rotated = await keys.rotated()
    assert await keys.ids(VERIFIES_FOR - timedelta(minutes=1)) == [first, rotated.key_id]
    assert await keys.ids(VERIFIES_FOR + timedelta(minutes=1)) == [rotated.key_id]


async def test_rotating_again_leaves_the_keys_of_both_times(keys: Keys, first: str):
    second, third = (await keys.rotated()).key_id, (await keys.rotated()).key_id
    assert await keys.ids() == [first, second, third]
    assert await keys.signing() == [third]


async def test_twice_at_once_rotates_once(keys: Keys, first: str):
    async def run(revoke: bool) -> Rotated:
        connection = await connect(keys.database.owner_url, "tests")
        try:
            return await rotate_signing_key(connection, keys.master, asked_at=asked_at, revoke=revoke)
        finally:
            await connection.close()

    for revoke in (False, True):
        asked_at = await keys.now()
        done = await asyncio.gather(*(run(revoke) for _ in range(4)))
        assert len({(rotated.key_id, rotated.signs_from) for rotated in done}) == 1
    assert len(await keys.database.query("SELECT key_id FROM signing_keys")) == 3


async def test_a_revoked_key_verifies_nothing_whatever_the_clock_of_a_process_says(keys: Keys, first: str):
    second = (await keys.rotated()).key_id
    rotated = await keys.rotated(revoke=True)
    assert rotated.revoked == [first, second]
    assert rotated.retired == []
    assert await keys.ids(-timedelta(hours=2)) == [rotated.key_id]


async def test_an_announced_key_is_told_and_signs_when_it_is_its_turn(keys: Keys, first: str):
    announced = await announce_signing_key(keys.connection, keys.master)
    assert set(await keys.ids()) == {first, announced}
    assert await keys.signing() == [first]
    assert await announce_signing_key(keys.connection, keys.master) == announced
    assert (await keys.rotated()).key_id == announced
    assert await keys.signing() == [announced]


async def test_a_run_that_waits_with_its_announcement_lets_one_stand_that_was_quicker(keys: Keys, first: str):
    asked_at = await keys.now()
    announced = await announce_signing_key(keys.connection, keys.master)
    assert (await keys.rotated()).key_id == announced
    assert (await keys.rotated(asked_at)).key_id == announced
    assert await keys.ids() == [first, announced]


async def test_a_key_that_was_announced_before_is_not_trusted_when_keys_are_revoked(keys: Keys, first: str):
    announced = await announce_signing_key(keys.connection, keys.master)
    rotated = await keys.rotated(revoke=True)
    assert rotated.key_id not in (first, announced)
    assert await keys.ids() == [rotated.key_id]


async def test_refuses_another_master_key_than_that_of_the_key_that_signs(keys: Keys, first: str):
    keys.master = LocalMasterKey(b"another master key of 32 bytes!!")
    with pytest.raises(NotUnderMasterKey):
        await keys.rotated()
    with pytest.raises(NotUnderMasterKey):
        await announce_signing_key(keys.connection, keys.master)
    keys.master = keys.database.master
    assert await keys.signing() == [first]


async def test_every_change_is_announced(keys: Keys, first: str):
    heard: list[str] = []
    connection = await connect(keys.database.url("writer"), "tests")
    await connection.add_listener(SIGNING_KEYS_CHANNEL, lambda *told: heard.append(str(told[2])))

    async def has_heard(count: int) -> bool:
        return len(heard) == count

    await announce_signing_key(keys.connection, keys.master)
    await until(lambda: has_heard(1))
    await keys.rotated()
    await until(lambda: has_heard(2))
    await keys.rotated(revoke=True)
    await until(lambda: has_heard(3))
    assert set(heard) == {SIGNING_KEYS_CHANNEL}
    await connection.close()
