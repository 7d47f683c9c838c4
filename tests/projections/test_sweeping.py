"""What is kept for a time only."""

from datetime import UTC, datetime

import pytest

from commands.change_display_name import ChangeDisplayName
from commands.errors import InvalidCredentials
from commands.handler import Client, Context
from commands.sign_in import SignIn
from events.codec import open_note, read_metadata
from events.connections import open_pool
from events.data_keys import DataKeys
from events.event import ANONYMOUS
from events.personal import FORGOTTEN
from events.store import read_log
from projections.sweeping import Swept, sweep


@pytest.fixture
async def projector_pool(database):
    pool = await open_pool(database.url("projector"), "tests", 1)
    yield pool
    await pool.close()


async def test_the_key_of_a_month_is_destroyed_when_its_time_is_over(muster, projector_pool):
    user_id = await muster.registered()
    muster.now = datetime(2024, 1, 31, tzinfo=UTC)
    await muster.handler.handle(
        ChangeDisplayName(user_id, "Ada"), Context(ANONYMOUS, client=Client("192.0.2.1", "curl"))
    )
    muster.now = datetime.now(UTC)
    await muster.handler.handle(
        ChangeDisplayName(user_id, "Bob"), Context(ANONYMOUS, client=Client("192.0.2.2", "curl"))
    )
    assert await sweep(projector_pool, 3650) == Swept()
    assert await sweep(projector_pool, 90) == Swept(client_keys=1)
    assert await sweep(projector_pool, 90) == Swept()
    keys = DataKeys(muster.database.master)
    old, new = (await read_log(muster.pool, keys, after=0, limit=10))[-2:]
    notes = []
    for recorded in (old, new):
        metadata = read_metadata(recorded.metadata)
        assert metadata.client_month is not None
        key = await keys.client_key(muster.pool, metadata.client_month)
        notes.append(open_note(metadata.client, "client", recorded, key))
    assert notes == [FORGOTTEN, {"address": "192.0.2.2", "user_agent": "curl"}]


async def test_receipts_go_once_they_have_expired(muster, projector_pool):
    await muster.database.query(
        "INSERT INTO receipts SELECT int4send(n), '', '', NULL, 1, now() + (n - 2500) * interval '1 hour' "
        "FROM generate_series(1, 3000) AS n"
    )
    assert await sweep(projector_pool, 90) == Swept(receipts=2500)
    assert len(await muster.database.query("SELECT FROM receipts")) == 500


async def test_attempts_go_once_their_time_is_over(muster, projector_pool):
    for email in ("ada@example.com", "nobody@example.com"):
        with pytest.raises(InvalidCredentials):
            await muster.ask(SignIn(email, "wrong horse battery"))
    assert (await sweep(projector_pool, 90)).attempts == 0
    await muster.database.query("UPDATE attempts SET until = now() WHERE key = (SELECT min(key) FROM attempts)")
    await muster.database.query(
        "INSERT INTO attempts SELECT int4send(n), '', 1, now() - n * interval '1 second' FROM generate_series(1, 2500) AS n"
    )
    assert await sweep(projector_pool, 90) == Swept(attempts=2501)
    assert len(await muster.database.query("SELECT FROM attempts")) == 1
