"""A table that is built anew beside the one that serves: the same rows, never half of them, and no reader goes back."""

import asyncio
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.discard_parked_event import DiscardParkedEvent
from commands.handler import Context
from events.connections import connect
from events.event import Actor
from events.user import DisplayNameChanged, EmailVerified, RegistrationSuperseded, RoleGranted, UserRegistered
from projections.anew import Unfoldable
from projections.checkpoints import Overtaken, take
from projections.dropping import drop_kept
from projections.keeping import Store
from projections.moving import move
from projections.positions import ViewBehind
from projections.published import publish_what_serves
from projections.published_views import EDITION, PUBLISHED
from projections.read_model import ReadModel
from projections.rebuilding import _SOME, BuiltWrongly, Rebuilding
from projections.rebuilds import Rebuild, RebuildUnderWay, ask, hold, let_go, rebuilds
from projections.rolling_back import roll_back
from projections.rows import Rows
from projections.serving import NothingKept, Serving, serving, serving_table, swap
from projections.tables import open_view
from projections.users import USERS
from queries.user_lists import users
from tests.projections.log import in_partition
from tests.projections.terms import TERMS
from tests.projections.test_engine import TAGS, tag
from tests.support import until

registered = UserRegistered("ada@example.com", "Ada")


class Killed(Exception):
    """What stands for a process that ends this moment: nothing that it would still have done is done."""


@pytest.fixture
def store(database) -> Store:
    return Store(database.url("projector"), database.role("reader"), [database.master_key])


async def rebuild(store: Store, model: ReadModel[Any] = USERS, killed_at: int = 0, **how: Any) -> str:
    """Build a table anew in this process, which dies when it has told how far it is so many times."""
    told = 0

    def tell(_state: str, _done: int, _total: int) -> None:
        nonlocal told
        told += 1
        if told == killed_at:
            raise Killed

    try:
        return await Rebuilding(store, model, 2, told=tell, **how).run(0)
    except Killed:
        await hung_up(store)
        raise


async def hung_up(store: Store) -> None:
    """Come back once the server has noticed that who rebuilt is dead: a session lets go of its locks a moment later."""
    connection = await connect(store.url, "watching")
    sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'muster rebuild' AND datname = current_database()"

    async def noticed() -> bool:
        return not await connection.fetchval(f"SELECT EXISTS ({sessions})")

    await until(noticed)
    await connection.close()


async def left(view, model: ReadModel[Any] = USERS) -> Rebuild:
    """What is told of a rebuild that nobody works on; a session that was hung up on lets go of its locks a moment later."""

    async def ended() -> list[Rebuild]:
        return [rebuild for rebuild in await rebuilds(view.connection, model.name) if not rebuild.alive]

    (told,) = await until(ended)
    return told


async def tables(database) -> set[str]:
    return {row[0] for row in await database.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'views'")}


async def rows_of(database, model: ReadModel[Any], table: str) -> dict[Any, Any]:
    rows = Rows(model.on(table))
    records = await database.query(f"SELECT * FROM views.{table}")
    return {model.identify(row): row for row in map(rows._read, records)}


async def people(log, number: int = 20) -> None:
    for count in range(number):
        person = uuid7()
        await log.add(person, UserRegistered(f"u{count}@example.com"), RoleGranted("auditor"), EmailVerified())
        if count % 3 == 0:
            await log.add(person, DisplayNameChanged(f"Number {count}"))
        if count % 5 == 0:
            await log.add(person, RegistrationSuperseded(uuid7()))


@pytest.mark.parametrize("model", [USERS, TERMS, TAGS], ids=lambda model: model.name)
async def test_has_the_rows_and_the_indexes_of_the_one_that_served(database, log, partitioned, store, model):
    view = await partitioned(2, model)
    await people(log)
    await view.catch_up()
    table = await rebuild(store, model, range_events=7)
    assert table == f"{model.view}_1"
    assert await rows_of(database, model, table) == await rows_of(database, model, model.view)
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'views' AND tablename = $1 ORDER BY 1"
    before, after = await database.query(indexes, model.view), await database.query(indexes, table)
    assert [[text.replace(table, model.view) for text in row] for row in after] == [list(row) for row in before]
    assert await serving(view.connection, model.name) == [Serving(model.name, model.version, table, model.view)]


async def test_the_reader_may_read_it(log, view, store, reader_pool):
    await log.add(uuid7(), registered)
    table = await rebuild(store)
    assert await reader_pool.fetchval(f"SELECT count(*) FROM views.{table}") == 1


async def test_comes_up_with_what_happens_meanwhile(log, view, store):
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered)
    writing: list[asyncio.Task[int]] = []

    def tell(state: str, _done: int, _total: int) -> None:
        if state == "indexing":
            writing.append(asyncio.ensure_future(log.add(bob, registered)))

    table = await Rebuilding(store, USERS, 1, told=tell).run(0)
    assert await serving_table(view.connection, USERS) == table
    assert await writing[0] == 2
    view.model = USERS.on(table)
    await view.catch_up()
    assert set(await rows_of(view.database, USERS, table)) == {ada, bob}


@pytest.mark.parametrize("point", range(1, 9))
async def test_killed_at_any_point_what_served_serves_and_the_next_one_clears_up(database, log, view, store, point):
    await people(log, 6)
    await view.catch_up()
    before = await rows_of(database, USERS, USERS.view)
    try:
        table = await rebuild(store, killed_at=point, range_events=7)
    except Killed:
        assert await serving_table(view.connection, USERS) in (USERS.view, f"{USERS.view}_1")
    table = await rebuild(store, range_events=7)
    assert await rows_of(database, USERS, table) == before
    assert len(await tables(database)) == 2, "the one that serves, and the one that did before"
    assert {row["consumer"] for row in await database.query("SELECT consumer FROM checkpoints")} == await tables(
        database
    )


async def die_following(store: Store) -> None:
    """A worker's rebuild that is killed when its table has only to follow the log."""
    states: list[str] = []

    def tell(state: str, _done: int, _total: int) -> None:
        states.append(state)
        if states.count("following") == 2:
            raise Killed

    with pytest.raises(Killed):
        await Rebuilding(store, USERS, 1, told=tell, by_workers=True).run(0)
    await hung_up(store)


async def test_a_worker_goes_on_with_one_that_had_only_to_follow(database, log, view, store):
    await people(log, 3)
    await die_following(store)
    await ask_is_refused(view)
    view.model = USERS.on(f"{USERS.view}_1")
    await view.catch_up()
    assert await rebuild(store, by_workers=True) == f"{USERS.view}_1"


async def ask_is_refused(view) -> None:
    with pytest.raises(RebuildUnderWay):
        await ask(view.connection, USERS)


async def test_only_one_at_a_time(view, store):
    other = await connect(store.url, "other")
    await hold(other, USERS)
    with pytest.raises(RebuildUnderWay):
        await rebuild(store)
    await ask_is_refused(view)
    await other.close()


async def test_stops_at_an_event_that_it_cannot_take_until_that_is_discarded(database, log, partitioned, store, muster):
    view = await partitioned(1, TAGS)
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered, RoleGranted("auditor"))
    position = await log.add(bob, registered, RoleGranted("trip"), RoleGranted("auditor")) - 1
    await view.catch_up()
    with pytest.raises(Unfoldable) as stopped:
        await rebuild(store, TAGS)
    assert (stopped.value.position, stopped.value.key) == (position, bob)
    assert "RuntimeError" in stopped.value.cause
    assert "ada@example.com" not in str(stopped.value)
    told = await left(view, TAGS)
    assert (told.state, told.cause) == ("stopped", str(stopped.value))
    assert await tables(database) == {TAGS.view}
    assert await serving_table(view.connection, TAGS) == TAGS.view
    parked = await database.query("SELECT position FROM parked_events WHERE consumer = $1", told.table)
    assert [row["position"] for row in parked] == [position]

    await muster.handler.handle(DiscardParkedEvent(TAGS.name, position), Context(Actor("operator")))
    await view.catch_up()
    table = await rebuild(store, TAGS)
    assert await rows_of(database, TAGS, table) == await rows_of(database, TAGS, TAGS.view)
    assert (await rows_of(database, TAGS, table))[bob].tags == ("auditor",)
    assert await view.parked() == []


async def test_stops_at_an_event_of_a_newer_version(log, view, store):
    ada = uuid7()
    await log.add(ada, registered)
    position = await log.add_raw(ada, "UserPromoted", b"{}")
    with pytest.raises(Unfoldable) as stopped:
        await rebuild(store)
    assert stopped.value.position == position


async def test_stops_at_an_event_whose_row_the_table_refuses(database, log, partitioned, store):
    def evolve(row: Any, recorded: Any) -> Any:
        tagged: Any = tag(row, recorded)
        return replace(tagged, seen=2**70) if "much" in tagged.tags else tagged

    view = await partitioned(1, TAGS)
    bob = uuid7()
    await log.add(uuid7(), registered, RoleGranted("auditor"))
    position = await log.add(bob, registered, RoleGranted("much"), RoleGranted("auditor")) - 1
    await view.catch_up()
    columns = [column._copy() for column in TAGS.table.columns if column.name != "position"]
    refusing = ReadModel(
        "tags", 3, columns=columns, row=TAGS.row, key="id", events=UserRegistered | RoleGranted, evolve=evolve
    )
    with pytest.raises(Unfoldable) as stopped:
        await rebuild(store, refusing)
    assert (stopped.value.position, stopped.value.key) == (position, bob)


async def test_goes_back_to_the_table_that_served_and_forth_again(database, log, view, store):
    ada = uuid7()
    await log.add(ada, registered)
    table = await rebuild(store)
    await log.add(ada, EmailVerified())
    view.model = USERS.on(table)
    await view.catch_up()
    assert await roll_back(store, USERS) == USERS.view
    rows = await rows_of(database, USERS, USERS.view)
    assert rows[ada].status == "active", "what served knows it, and nobody goes back"
    assert await roll_back(store, USERS) == table


async def test_a_table_serves_once_it_has_reached_the_one_that_does_and_not_before(log, view, store, monkeypatch):
    monkeypatch.setattr("projections.serving.STANDS_SECONDS", 0.1)
    ada = uuid7()
    await log.add(ada, registered)
    table = await rebuild(store)
    await log.add(ada, EmailVerified())
    view.model = USERS.on(table)
    await view.catch_up()
    assert await swap(view.connection, USERS, USERS.view) is False
    assert await serving_table(view.connection, USERS) == table
    view.model = USERS
    await view.catch_up()
    assert await swap(view.connection, USERS, USERS.view) is True
    assert await serving_table(view.connection, USERS) == USERS.view


async def test_what_lies_aside_of_a_new_table_keeps_it_from_serving(log, view, store):
    await log.add(uuid7(), registered)
    table = await rebuild(store)
    await view.catch_up()
    await view.connection.execute(
        "INSERT INTO parked_events (consumer, partition, position, key, cause) VALUES ($1, 0, 1, $2, 'it tripped')",
        USERS.view,
        uuid7(),
    )
    assert await swap(view.connection, USERS, USERS.view, whole=True) is False
    assert await serving_table(view.connection, USERS) == table
    assert await swap(view.connection, USERS, USERS.view) is True


@pytest.mark.parametrize("by_workers", [False, True])
async def test_a_table_that_was_built_wrongly_never_serves(database, log, view, store, by_workers):
    await people(log)
    writing: list[asyncio.Task[Any]] = []

    def tell(state: str, _done: int, _total: int) -> None:
        if state == "following" and not writing:
            spoiling = f"UPDATE views.{USERS.view}_1 SET email = 'nobody@example.com'"
            writing.append(asyncio.ensure_future(view.connection.execute(spoiling)))

    with pytest.raises(BuiltWrongly, match=r"[1-9][0-9]* of [1-9][0-9]* keys"):
        await Rebuilding(store, USERS, 1, told=tell, by_workers=by_workers).run(0)
    assert await tables(database) == {USERS.view}
    assert await serving_table(view.connection, USERS) == USERS.view
    told = await left(view)
    assert told.state == "stopped"
    assert "built wrongly" in (told.cause or "")


@pytest.mark.parametrize(
    ("spoiling", "why"),
    [
        ("DELETE FROM {0} WHERE id = (SELECT id FROM {0} LIMIT 1)", r"it has [0-9]+ rows instead of the [0-9]+"),
        ("INSERT INTO {0} SELECT * FROM {0} LIMIT 1", "it has rows twice"),
    ],
    ids=["lacking", "twice"],
)
async def test_a_table_that_lacks_rows_or_has_some_twice_never_serves(database, log, view, store, spoiling, why):
    await people(log)
    writing: list[asyncio.Task[Any]] = []

    def tell(state: str, _done: int, _total: int) -> None:
        if state == "building" and not writing:
            sql = spoiling.format(f"views.{USERS.view}_1")
            writing.append(asyncio.ensure_future(view.connection.execute(sql)))

    with pytest.raises(BuiltWrongly, match=why) as wrong:
        await Rebuilding(store, USERS, 1, told=tell, range_events=7).run(0)
    assert await writing[0] in ("DELETE 1", "INSERT 0 1")
    assert await tables(database) == {USERS.view}
    assert await serving_table(view.connection, USERS) == USERS.view
    told = await left(view)
    assert (told.state, told.cause) == ("stopped", str(wrong.value))


async def test_what_is_looked_at_is_found_by_indexes_however_long_the_log_is(log, connection):
    for _ in range(300):
        await log.add(uuid7(), registered, EmailVerified())
    await log.database.query("ANALYZE stored_events")
    await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    for _ in range(5):
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {_SOME.replace('$1', '5')}")]
        assert not [line for line in plan if "Rows Removed" in line], "\n".join(plan)
        assert not [line for line in plan if "Sort" in line], "\n".join(plan)


async def test_one_that_died_when_its_table_had_got_to_serve_is_done(database, log, view, store):
    await log.add(uuid7(), registered)
    await view.catch_up()
    table = await rebuild(store)
    await database.query("UPDATE rebuilds SET state = 'following'")  # the last thing that such a one has said
    told = await left(view)
    assert (told.state, told.table) == ("done", table)
    await hold(view.connection, USERS)
    assert [told.state for told in await rebuilds(view.connection)] == ["following"], "somebody goes on with it"
    await let_go(view.connection, USERS)
    assert await rebuild(store, by_workers=True) == table, "and makes no other"
    await database.query("UPDATE rebuilds SET state = 'following'")
    assert await roll_back(store, USERS) == USERS.view
    assert (await left(view)).state == "done"


async def test_a_dead_rebuild_whose_table_a_restored_database_is_without_begins_anew(database, log, view, store):
    await log.add(uuid7(), registered)
    await database.query(
        "INSERT INTO rebuilds (name, version, state, by_workers, target, processes, total, begun_at) "
        "VALUES ('users', $1, 'following', true, $2, 1, 1, now())",
        USERS.version,
        f"{USERS.view}_9",
    )
    async with asyncio.timeout(20):
        table = await rebuild(store, by_workers=True)
    assert len(await rows_of(database, USERS, table)) == 1


async def test_no_table_is_dropped_from_under_what_analysts_read(database, log, view, store):
    await log.add(uuid7(), registered)
    await publish_what_serves(view.connection, [USERS])
    for number in (1, 2, 3):
        assert await rebuild(store) == f"{USERS.view}_{number}"
    assert await tables(database) == {f"{USERS.view}_2", f"{USERS.view}_3"}
    assert await roll_back(store, USERS) == f"{USERS.view}_2"
    assert await drop_kept(view.connection, USERS) == [f"{USERS.view}_3"]
    assert len(await view.connection.fetch("SELECT FROM analytics.users")) == 1


async def test_what_analysts_built_on_a_view_fails_no_rebuild(database, log, view, store, monkeypatch):
    await log.add(uuid7(), registered)
    await publish_what_serves(view.connection, [USERS])
    await database.query("CREATE VIEW public.mine AS SELECT roles FROM analytics.users")
    fewer = [structs.replace(one, columns=one.columns[:2]) for one in PUBLISHED]
    monkeypatch.setattr("projections.published.PUBLISHED", fewer)
    monkeypatch.setattr("projections.published.EDITION", EDITION + 1)
    for number in (1, 2, 3):
        assert await rebuild(store) == f"{USERS.view}_{number}"
    assert await tables(database) == {USERS.view, f"{USERS.view}_2", f"{USERS.view}_3"}, "what they read is left"
    await view.catch_up()
    assert await database.query("SELECT roles FROM public.mine"), "and projected on"
    with pytest.raises(asyncpg.DependentObjectsStillExistError):
        async with view.connection.transaction():
            await view.connection.execute(f"DROP TABLE views.{USERS.view}")
    await database.query("DROP VIEW public.mine")
    await rebuild(store)
    assert await tables(database) == {f"{USERS.view}_3", f"{USERS.view}_4"}


async def test_what_is_kept_is_dropped_when_it_is_said_and_one_is_kept_at_a_time(database, log, view, store):
    await log.add(uuid7(), registered)
    with pytest.raises(NothingKept):
        await roll_back(store, USERS)
    await rebuild(store)
    await rebuild(store)
    assert await tables(database) == {f"{USERS.view}_1", f"{USERS.view}_2"}
    assert await drop_kept(view.connection, USERS) == [f"{USERS.view}_1"]
    assert await drop_kept(view.connection, USERS) == []
    assert await tables(database) == {f"{USERS.view}_2"}
    with pytest.raises(NothingKept):
        await roll_back(store, USERS)


async def test_the_table_that_is_kept_follows_and_never_overtakes(log, partitioned, store):
    view = await partitioned(2)
    await people(log, 3)
    await view.catch_up()
    table = await rebuild(store)
    end = await log.add(in_partition(0, 2), registered)
    kept = await take(view.connection, USERS.view, 0)
    assert kept is not None
    assert kept.follows == table
    await view.catch_up(steps=2)
    assert max(await view.positions()) < end
    view.model = USERS.on(table)
    await view.catch_up()
    view.model = USERS
    await view.catch_up()
    assert await view.positions() == [end, end]


async def test_swapping_twice_is_swapping_once(log, view, store):
    await log.add(uuid7(), registered)
    table = await rebuild(store)
    before = await serving(view.connection)
    assert await swap(view.connection, USERS, table)
    assert await serving(view.connection) == before


async def test_a_holder_who_does_not_know_of_the_swap_writes_nothing(log, view, store):
    await log.add(uuid7(), registered)
    await view.catch_up()
    held = await take(view.connection, USERS.view, 0)
    assert held is not None
    await rebuild(store)
    with pytest.raises(Overtaken):
        await move(view.connection, held, held.position + 1)


async def test_a_dead_rebuild_that_still_writes_is_ended(database, log, view, store):
    await people(log, 3)
    with pytest.raises(Killed):
        await rebuild(store, killed_at=1, range_events=3)
    late = await connect(store.url, f"muster builder {USERS.view}_1")
    transaction = late.transaction()
    await transaction.start()
    await late.execute(f"LOCK TABLE views.{USERS.view}_1 IN ROW EXCLUSIVE MODE")
    async with asyncio.timeout(20):
        assert await rebuild(store) == f"{USERS.view}_2"
    late.terminate()


async def test_processes_beside_build_the_same(database, log, view, store):
    await people(log)
    await view.catch_up()
    table = await Rebuilding(store, USERS, 1, range_events=9).run(2)
    assert await rows_of(database, USERS, table) == await rows_of(database, USERS, USERS.view)


async def test_processes_beside_stop_at_what_they_cannot_take(log, view, store):
    await people(log, 4)
    position = await log.add_raw(ada := uuid7(), "DisplayNameChanged", b"not json")
    with pytest.raises(Unfoldable) as stopped:
        await Rebuilding(store, USERS, 1, range_events=3).run(2)
    assert (stopped.value.position, stopped.value.key) == (position, ada)


async def test_a_view_of_which_something_happened_serves_only_once_it_is_built(
    database, log, connection, store, reader_pool
):
    await log.add(uuid7(), registered)
    await open_view(connection, USERS, 2, store.reader)
    await open_view(connection, USERS, 2, store.reader)
    with pytest.raises(ViewBehind):
        await users(reader_pool)
    (asked,) = await rebuilds(connection)
    assert (asked.state, asked.alive) == ("asked", False)
    assert await rebuild(store, by_workers=True) == USERS.view
    assert len((await users(reader_pool)).items) == 1
    await open_view(connection, USERS, 3, store.reader)
    assert len(await database.query("SELECT 1 FROM checkpoints WHERE consumer = $1", USERS.view)) == 3


async def test_a_view_of_which_nothing_happened_serves_at_once(database, connection, store, reader_pool):
    await open_view(connection, USERS, 2, store.reader)
    assert (await users(reader_pool)).items == []
    assert await rebuilds(connection) == []


async def test_a_view_whose_table_is_gone_is_built_again(database, log, view, store):
    await log.add(uuid7(), registered)
    await view.catch_up()
    await view.connection.execute(f"DROP TABLE views.{USERS.view}")
    await open_view(view.connection, USERS, 1, store.reader)
    assert await serving_table(view.connection, USERS) is None
    table = await rebuild(store, by_workers=True)
    assert len(await rows_of(database, USERS, table)) == 1


async def test_a_new_version_comes_up_with_the_one_before_and_leaves_it_until_it_is_dropped(
    database, log, view, store, connection
):
    await log.add(uuid7(), registered)
    await view.catch_up()
    newer = ReadModel(
        "users",
        USERS.version + 1,
        columns=[column._copy() for column in USERS.table.columns if column.name != "position"],
        row=USERS.row,
        key="id",
        events=UserRegistered | EmailVerified,
        evolve=USERS.evolve,
    )
    await open_view(connection, newer, 1, store.reader)
    assert await serving_table(connection, newer) is None
    table = await rebuild(store, newer, by_workers=False)
    assert await serving_table(connection, USERS) == USERS.view
    assert await tables(database) == {USERS.view, table}
    assert await drop_kept(connection, newer) == [USERS.view]
    assert await tables(database) == {table}
