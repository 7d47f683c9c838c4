"""Sign-ins are counted by day as they are tried, whoever's address it is."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from commands.attempts import STRANGERS, forget_attempts, new_device, reserve_attempt
from commands.present_password import PRESENT
from events.connections import connect, open_pool
from tests.api.site import PASSWORD, in_one_task, served

DEVICE = new_device()


async def counted(database) -> tuple[int, int]:
    (row,) = await database.query(
        "SELECT coalesce(sum(attempted), 0)::int, coalesce(sum(succeeded), 0)::int FROM sign_in_counts WHERE day = $1",
        datetime.now(UTC).date(),
    )
    return tuple(row)


async def test_each_attempt_counts_also_one_too_many(database, writer_pool):
    for _ in range(7):
        await reserve_attempt(writer_pool, b"an address", STRANGERS, 5, 900)
    assert await counted(database) == (7, 0)


async def test_a_success_counts_whether_or_not_anything_was_left_to_forget(database, writer_pool):
    for device in (STRANGERS, DEVICE):
        await reserve_attempt(writer_pool, b"an address", device, 5, 900)
        await forget_attempts(writer_pool, b"an address", device)
        await forget_attempts(writer_pool, b"an address", device)
    assert await counted(database) == (2, 4)


async def test_what_is_no_sign_in_does_not_count(database, writer_pool):
    await reserve_attempt(writer_pool, b"a user", PRESENT, 5, 900)
    await forget_attempts(writer_pool, b"a user", PRESENT)
    await forget_attempts(writer_pool, b"an address", None)
    assert await counted(database) == (0, 0)


async def test_none_is_lost_however_many_count_at_once(database):
    pools = [await open_pool(database.url("writer"), "writer", 10) for _ in range(3)]
    keys = [bytes([number]) for number in range(200)]
    await asyncio.gather(*(reserve_attempt(pool, key, STRANGERS, 5, 900) for key in keys for pool in pools))
    assert await counted(database) == (600, 0)
    rows = await database.query("SELECT share FROM sign_in_counts")
    assert 1 < len(rows) <= 16
    for pool in pools:
        await pool.close()


async def test_known_and_unknown_addresses_count_alike_and_a_sign_in_that_is_decided_twice_counts_once(database):
    async with in_one_task(served(database)) as site:
        email = site.new_email()
        user_id = await site.registered(email)
        await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
        for address in (email, "nobody@example.com"):
            before = await counted(database)
            await site.post("/v1/sessions", {"email": address, "password": "something else"})
            after = await counted(database)
            assert (after[0] - before[0], after[1] - before[1]) == (1, 0)
        before = await counted(database)
        answers = await asyncio.gather(
            *(site.post("/v1/sessions", {"email": email, "password": PASSWORD}) for _ in range(5))
        )
        assert {answer.status_code for answer in answers} == {201}
        after = await counted(database)
        assert (after[0] - before[0], after[1] - before[1]) == (5, 5)


@pytest.mark.parametrize("role", ["writer", "reader", "projector", "analyst", "analyst_personal"])
async def test_nobody_counts_by_hand(database, role):
    connection = await connect(database.url(role), "tests")
    for statement in (
        "SELECT public.count_sign_ins('', 5, 0)",
        "INSERT INTO public.sign_in_counts VALUES ('2026-01-01', 1, 1, 1)",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(statement)
    await connection.close()
