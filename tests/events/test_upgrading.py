"""A database of an earlier version, brought up to date with what is in it."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from api.embedded import Postgres
from commands.signing_keys import read_signing_keys
from events.connections import connect
from events.migrations.roles import ensure_roles, role_names, script
from events.migrations.upgrade import migrate
from tests.support import Database

FIRST = ("0001_tables.sql", "0001_append_events.sql", "0001_rights.sql")


@pytest.fixture
async def of_the_first_version(postgres: Postgres) -> AsyncIterator[Database]:
    """A database as the first version's migration left it."""
    made = Database(await asyncio.to_thread(postgres.create, "test_of_the_first_version"))
    name = made.name
    owner = await connect(made.owner_url, "tests")
    await ensure_roles(owner, name, made.secret)
    for file in FIRST:
        await owner.execute(script(file, **role_names(name)))
    await owner.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    await owner.execute("INSERT INTO alembic_version VALUES ('0001')")
    await owner.close()
    yield made
    await asyncio.to_thread(postgres.drop, name)


async def test_a_key_of_the_first_version_goes_on_signing(of_the_first_version: Database):
    database, raw, wrap_id = of_the_first_version, os.urandom(32), uuid4()
    await database.query(
        "INSERT INTO signing_keys (key_id, algorithm, public_key, master_id, wrap_id, wrapped) "
        "VALUES ('of old', 'EdDSA', $1, $2, $3, $4)",
        os.urandom(32),
        database.master.master_id,
        wrap_id,
        database.master.wrap(raw, wrap_id),
    )
    assert await migrate(database.owner_url, database.secret)
    assert not await migrate(database.owner_url, database.secret)
    writer = await connect(database.url("writer"), "tests")
    (key,) = await read_signing_keys(writer, database.master, datetime.now(UTC))
    await writer.close()
    assert key.key_id == "of old"
    assert key.private is not None
    assert key.private.private_bytes_raw() == raw
