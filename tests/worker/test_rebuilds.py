"""Views built anew by real processes, under load, which are killed: what served serves, and no reader goes back."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest
from uuid_utils.compat import uuid7

from events.connections import connect, open_pool
from events.user import DisplayNameChanged, UserRegistered
from projections.keeping import Store
from projections.positions import Positions
from projections.rebuilds import ask, rebuilds
from projections.serving import serving_table
from projections.users import USERS
from projections.verifying import Verifier
from queries.user_lists import UserPage, users
from queries.user_statements import ListTables
from queries.users import VIEW, Found, user_by_id
from tests.support import Database, until

REBUILD = """
import asyncio, sys
import msgspec
from projections.keeping import Store
from projections.rebuilding import Rebuilding
from projections.users import USERS

store = msgspec.json.decode(sys.stdin.readline(), type=Store)
print(asyncio.run(Rebuilding(store, USERS, 2, range_events=40).run(2)))
"""

BUILDERS = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'muster builder%'"


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database.url("projector"), database.role("reader"), [database.master_key])


def rebuild(store: Store) -> subprocess.Popen[bytes]:
    """A rebuild as an operator starts it, with two processes that build; its errors are this test's."""
    child = subprocess.Popen([sys.executable, "-c", REBUILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(msgspec.json.encode(store) + b"\n")
    child.stdin.flush()
    return child


def end(child: subprocess.Popen[bytes]) -> bytes:
    """Kill it, if it lives, and let go of it; what it told."""
    child.kill()
    told, _ = child.communicate()
    return told


@contextlib.asynccontextmanager
async def positions(database: Database) -> AsyncIterator[tuple[Positions, Any]]:
    """What an API process knows and asks with."""
    pool = await open_pool(database.url("reader"), "reader", 2)
    made = Positions(lambda: connect(database.url("reader"), "positions"), pool)
    await made.start()
    try:
        yield made, pool
    finally:
        await made.stop()
        await pool.close()


async def one_user(pool: Any, user_id: UUID, table: str) -> Found:
    return await user_by_id(pool, user_id, table=table)


async def newest(pool: Any, table: str) -> UserPage:
    return await users(pool, limit=1, tables=ListTables(table))


async def state(database: Database) -> str:
    """How the last rebuild is."""
    rows = await database.query("SELECT state FROM rebuilds WHERE name = 'users'")
    return str(rows[0]["state"]) if rows else ""


@pytest.mark.timeout(240)
async def test_killed_under_load_nothing_goes_back_and_the_last_one_serves(database, log, workers, store):
    people = [uuid7() for _ in range(60)]
    for person in people:
        await log.add(person, UserRegistered("u@example.com"), DisplayNameChanged("A"))
    running = [workers.start(), workers.start()]
    await until(lambda: _serves(database, USERS.view), 60)
    over = asyncio.Event()

    async def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            await log.add(people[number % len(people)], DisplayNameChanged(f"B{number}"))
            await asyncio.sleep(0.01)

    async def read() -> None:
        """By turns in two API processes, each of which hears of a swap when it does."""
        async with positions(database) as one, positions(database) as other:
            mine = others = 0
            while not over.is_set():
                for known, pool in (one, other):
                    user, reached = await known.ask(partial(one_user, pool, people[0]), VIEW)
                    page = await known.ask(partial(newest, pool), VIEW)
                    assert user is not None
                    assert (reached >= mine, page.position >= others) == (True, True)
                    mine, others = reached, page.position
                await asyncio.sleep(0.005)

    busy = [asyncio.create_task(write()), asyncio.create_task(read())]
    children: list[subprocess.Popen[bytes]] = []
    try:
        for reached in ({"building"}, {"building", "indexing", "following"}, {"following", "done"}):
            await database.query("DELETE FROM rebuilds")
            children.append(rebuild(store))
            await until(partial(_is, database, reached), 60)
            end(children[-1])
            workers.kill(running.pop(0))
            running.append(workers.start())
            await until(partial(_none, database, BUILDERS), 60)
        children.append(rebuild(store))
        served = await asyncio.to_thread(children[-1].wait, 120)
        assert served == 0
        table = end(children[-1]).decode().strip()
    finally:
        over.set()
        results = await asyncio.gather(*busy, return_exceptions=True)
        for child in children:
            end(child)
    assert results == [None, None]
    assert await whole(database, store, len(people)) == table


async def test_a_rebuild_that_was_asked_for_is_gone_on_with_by_another_worker(database, log, workers, store):
    for number in range(30):
        await log.add(uuid7(), UserRegistered(f"u{number}@example.com"))
    first = workers.start()
    await until(lambda: _is(database, {"done"}), 60)
    connection = await connect(store.url, "asking")

    async def settled() -> Any:
        rows = await database.query("SELECT id, status FROM deliveries ORDER BY id")
        return rows if len(rows) == 30 and all(row["status"] != "waiting" for row in rows) else None

    owed = await until(settled, 60)
    await ask(connection, USERS)
    await until(lambda: _is(database, {"building", "indexing", "following", "done"}), 60)
    workers.kill(first)
    workers.start()
    await until(lambda: _is(database, {"done"}), 60)
    (last,) = await rebuilds(connection, USERS.name)
    assert await serving_table(connection, USERS) == last.table
    assert last.table != USERS.view
    assert await database.query("SELECT id, status FROM deliveries ORDER BY id") == owed, "no reaction fires"
    await connection.close()


@pytest.mark.timeout(240)
async def test_a_database_that_crashes_in_mid_rebuild_brings_back_a_view_that_is_whole(mortal):
    database, log, workers = mortal.database, mortal.log, mortal.workers
    store = Store(database.url("projector"), database.role("reader"), [database.master_key])
    people = [uuid7() for _ in range(60)]
    for person in people:
        await log.add(person, UserRegistered("u@example.com"), DisplayNameChanged("A"))
    workers.start()
    await until(lambda: _serves(database, USERS.view), 60)
    for reached in ({"building"}, {"indexing", "following", "done"}):
        await database.query("DELETE FROM rebuilds")
        child = rebuild(store)
        try:
            await until(partial(_is, database, reached), 60)
            mortal.crash()
            await asyncio.to_thread(child.wait, 60)
        finally:
            end(child)
        mortal.postgres.start()
        await workers.reach(await log.add(people[0], DisplayNameChanged("B")), 60)
        await whole(database, store, len(people))
    before = await whole(database, store, len(people))
    connection = await connect(store.url, "asking")
    await ask(connection, USERS)
    await until(lambda: _under_way_or_over(database, before), 60)
    mortal.crash()
    connection.terminate()
    mortal.postgres.start()
    await until(lambda: _is(database, {"done"}), 60)
    assert await whole(database, store, len(people)) != before


async def whole(database: Database, store: Store, keys: int) -> str:
    """The table that serves, which has so many keys and is in each what the log makes of it."""
    connection = await connect(store.url, "verifying")
    try:
        table = await serving_table(connection, USERS)
        assert table is not None
        verified = await Verifier(USERS.on(table), database.master).verify(connection)
        assert (verified.equal, verified.keys) == (True, keys)
        return table
    finally:
        await connection.close()


async def _under_way_or_over(database: Database, before: str) -> bool:
    return await _is(database, {"building", "indexing", "following"}) or not await _serves(database, before)


async def _serves(database: Database, table: str) -> bool:
    return bool(await database.query("SELECT 1 FROM read_models WHERE serving = $1", table))


async def _is(database: Database, states: set[str]) -> bool:
    return await state(database) in states


async def _none(database: Database, sql: str) -> bool:
    return not await database.query(sql)
