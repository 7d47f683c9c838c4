"""What each role may do, and that nobody rewrites history."""

import asyncio

import asyncpg
import pytest

from api.embedded import Postgres
from events.connections import connect
from events.migrations.upgrade import HEAD, migrate
from events.store import head
from tests.events.test_committer import verified
from tests.support import Database

REWRITES = [
    "UPDATE stored_events SET topic = 'x'",
    "DELETE FROM stored_events",
    "TRUNCATE stored_events",
]
WRITES = [
    *REWRITES,
    "INSERT INTO stored_events (originator_id, originator_version, notification_id) VALUES (gen_random_uuid(), 1, 9)",
    "DELETE FROM claims",
    "UPDATE secrets SET sealed = ''",
    "UPDATE data_keys SET wrapped = NULL",
    "DELETE FROM signing_keys",
    "ALTER TABLE stored_events DISABLE TRIGGER append_only",
    "DROP TABLE stored_events",
    "CREATE TABLE public.mine (id int)",
]


@pytest.fixture(scope="module")
async def refusing(postgres: Postgres) -> Database:
    """One database for all that is refused, and no copy: its rights are as the migration gives them."""
    made = Database(await asyncio.to_thread(postgres.create, "refusing"))
    await migrate(made.owner_url, made.secret)
    return made


@pytest.mark.parametrize("role", ["writer", "reader", "projector"])
@pytest.mark.parametrize("statement", WRITES)
async def test_no_process_of_ours_may_write_but_through_the_append_function(refusing, role, statement):
    connection = await connect(refusing.url(role), "tests")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize("statement", REWRITES)
async def test_a_trigger_refuses_even_the_owner(database, committer, statement):
    await committer.commit(verified())
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await database.query(statement)


@pytest.mark.parametrize("role", ["reader", "projector"])
async def test_only_the_writer_may_append(refusing, role):
    connection = await connect(refusing.url(role), "tests")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("SELECT make_client_key('2026-01', gen_random_uuid(), '', '')")
    for table in ("claims", "secrets", "signing_keys"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"SELECT FROM {table}")
    await connection.close()


async def test_migrating_twice_at_once_is_safe(database):
    assert await asyncio.gather(*(migrate(database.owner_url, database.secret) for _ in range(4))) == [False] * 4
    rows = await database.query("SELECT version_num FROM alembic_version")
    assert [row[0] for row in rows] == [HEAD]


async def test_an_empty_log_begins_at_0(database, writer_pool):
    assert await head(writer_pool) == 0
