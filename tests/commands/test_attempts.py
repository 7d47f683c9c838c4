"""Attempts are reserved before they are evaluated, and known devices have their own."""

import asyncio

import pytest
from uuid_utils.compat import uuid7

from commands.attempts import (
    STRANGERS,
    device_of,
    device_token,
    forget_attempts,
    new_device,
    reserve_attempt,
)
from events.connections import connect, open_pool

KEY = b"an address"


async def reserve(pool, key=KEY, device=STRANGERS, most=5, seconds=900):
    return await reserve_attempt(pool, key, device, most, seconds)


async def test_as_many_are_reserved_as_there_may_be(writer_pool):
    attempts = [await reserve(writer_pool) for _ in range(7)]
    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4, 5, None, None]
    assert [attempt.last for attempt in attempts] == [False] * 4 + [True] + [False] * 2


async def test_no_more_are_reserved_however_many_ask_at_once(database):
    pools = [await open_pool(database.url("writer"), "writer", 10) for _ in range(4)]
    attempts = await asyncio.gather(*(reserve(pool, most=20) for _ in range(50) for pool in pools))
    assert sorted(attempt.number for attempt in attempts if attempt.reserved) == list(range(1, 21))
    assert sum(attempt.last for attempt in attempts) == 1
    for pool in pools:
        await pool.close()


async def test_devices_and_addresses_have_attempts_of_their_own(writer_pool):
    for _ in range(6):
        await reserve(writer_pool)
    assert (await reserve(writer_pool, device=new_device())).number == 1
    assert (await reserve(writer_pool, key=b"another")).number == 1


async def test_the_time_begins_anew_with_the_last_one(database, writer_pool):
    for _ in range(5):
        await reserve(writer_pool)
    (row,) = await database.query("SELECT until - clock_timestamp() AS left FROM attempts")
    assert 890 < row["left"].total_seconds() <= 900
    owner = await connect(database.owner_url, "tests")
    await owner.execute("UPDATE attempts SET until = clock_timestamp()")
    await owner.close()
    assert (await reserve(writer_pool)).number == 1


@pytest.mark.parametrize(("device", "left"), [(STRANGERS, [(b"d" * 16, 1)]), (None, [])])
async def test_are_forgotten_for_one_device_or_for_all(database, writer_pool, device, left):
    for one in (STRANGERS, b"d" * 16):
        await reserve(writer_pool, device=one)
    await reserve(writer_pool, key=b"another")
    await forget_attempts(writer_pool, KEY, device)
    rows = await database.query("SELECT device, count FROM attempts WHERE key = $1", KEY)
    assert [tuple(row) for row in rows] == left
    assert len(await database.query("SELECT FROM attempts WHERE key = 'another'")) == 1


def test_a_device_is_known_by_its_token_to_its_user_only():
    user_id, device = uuid7(), new_device()
    token = device_token(b"secret", user_id, device)
    assert device_of(b"secret", user_id, token) == device
    assert device_of(b"secret", uuid7(), token) == STRANGERS
    assert device_of(b"another", user_id, token) == STRANGERS
    for forged in (None, "", "A", token[:-4], token + "AAAA", "é", "!" * 64):
        assert device_of(b"secret", user_id, forged) == STRANGERS
