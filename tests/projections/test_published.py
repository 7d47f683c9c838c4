"""Views for analysts are made, replaced and left alone."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from events.connections import connect
from events.session import SessionStarted
from events.user import EmailVerified, UserRegistered
from projections.models import MODELS
from projections.personal_columns import PERSONAL_COLUMNS
from projections.published import keep_small_groups, publish
from projections.published_view import PEOPLE, PERSONAL, SUMS, Published
from projections.published_views import EDITION, PUBLISHED
from tests.projections.conftest import View
from tests.queries.past import Fact, Past

SERVING = {model.name: model.consumer for model in MODELS}


@pytest.fixture
async def views(connection, partitioned):
    """The tables of all read models, empty."""
    return {model.name: await partitioned(1, model) for model in MODELS}


async def asked(database, role: str, sql: str) -> list[dict[str, Any]]:
    connection = await connect(database.url(role), "analyst")
    try:
        return [dict(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def oids(database) -> dict[str, tuple[int, int]]:
    """Which view is which, and when its row in the catalog was last written."""
    rows = await database.query(
        "SELECT relname, oid::int, xmin::text::bigint FROM pg_class WHERE relnamespace = 'analytics'::regnamespace"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def fewer_columns() -> list[Published]:
    """The views as another edition may have them: only the first two columns of each."""
    return [structs.replace(view, columns=view.columns[:2]) for view in PUBLISHED]


async def columns_of(database, view: str) -> int:
    (row,) = await database.query(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0", f"analytics.{view}"
    )
    count: int = row[0]
    return count


@pytest.fixture
async def tool(database) -> AsyncIterator[str]:
    """A role of an operator's own, for a program that draws charts."""
    name = f'"{database.name}_metabase"'
    await database.query(f"CREATE ROLE {name}")
    await database.query(f"GRANT {name} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    await database.query(f"GRANT USAGE ON SCHEMA analytics TO {name}")
    yield name
    await database.query(f"GRANT {name} TO CURRENT_USER WITH INHERIT TRUE")
    await database.query(f"DROP OWNED BY {name}")
    await database.query(f"DROP ROLE {name}")


async def readable(database, role: str) -> set[str]:
    """The views of which a role may read something."""
    rows = await database.query(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'analytics'::regnamespace "
        "AND has_any_column_privilege($1::regrole, oid, 'SELECT')",
        role,
    )
    return {row[0] for row in rows}


async def test_every_view_is_made_with_what_it_means(database, connection, views):
    await publish(connection, SERVING)
    assert {view.name for view in PUBLISHED} == (await oids(database)).keys()
    told = await database.query(
        "SELECT c.relname, a.attname, col_description(c.oid, a.attnum) AS column_says, obj_description(c.oid) AS view_says "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE relnamespace = 'analytics'::regnamespace"
    )
    meanings = {
        (view.name, column.name): (column.meaning, view.meaning) for view in PUBLISHED for column in view.columns
    }
    assert {(row[0], row[1]): (row[2], row[3]) for row in told} == meanings


async def test_doing_it_again_touches_nothing(database, connection, views):
    await publish(connection, SERVING)
    before = await oids(database)
    others = [await connect(database.url("projector"), "tests") for _ in range(4)]
    await asyncio.gather(*(publish(other, SERVING) for other in others))
    assert await oids(database) == before
    for other in others:
        await other.close()


async def test_views_of_models_that_do_not_serve_yet_are_left_out(database, connection, views):
    await publish(connection, {"users": SERVING["users"]})
    assert (await oids(database)).keys() == {"users", "users_personal"}


async def test_another_table_that_serves_takes_the_place_of_the_one_before(database, connection, views, log):
    await publish(connection, SERVING)
    table = SERVING["users"]
    await log.add(uuid7(), UserRegistered("ada@example.com"))
    await views["users"].catch_up()
    assert len(await asked(database, "analyst", "SELECT * FROM users")) == 1
    async with connection.transaction():
        await connection.execute(f"CREATE TABLE views.{table}_2 (LIKE views.{table})")
        await publish(connection, SERVING | {"users": f"{table}_2"})
    assert await asked(database, "analyst", "SELECT * FROM users") == []
    await connection.execute(f"DROP TABLE views.{table}")


async def test_a_transaction_that_comes_to_nothing_leaves_what_was(database, connection, views):
    await publish(connection, SERVING)
    before = await oids(database)
    table = SERVING["users"]
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"CREATE TABLE views.{table}_2 (LIKE views.{table})")
    await publish(connection, SERVING | {"users": f"{table}_2"})
    await transaction.rollback()
    assert await oids(database) == before
    await publish(connection, SERVING)
    assert await oids(database) == before


async def test_what_an_operator_granted_stays_also_when_columns_go(database, connection, views, monkeypatch):
    await publish(connection, SERVING)
    await database.query("GRANT SELECT ON analytics.users TO PUBLIC")
    monkeypatch.setattr("projections.published.PUBLISHED", fewer_columns())
    assert await publish(connection, SERVING) == []
    grants = await database.query(
        "SELECT grantee::int FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = 'analytics.users'::regclass"
    )
    assert 0 in [row["grantee"] for row in grants], "it is for all who may use the schema, still"
    assert await columns_of(database, "users") == 2


async def test_it_does_not_wait_long_for_who_reads_and_changes_nothing_then(database, connection, views, monkeypatch):
    monkeypatch.setattr("projections.published.PATIENCE", "50ms")
    await publish(connection, SERVING)
    before = await oids(database)
    analyst = await connect(database.url("analyst"), "analyst")
    async with analyst.transaction():
        await analyst.fetch("SELECT * FROM user_days")
        table = SERVING["user_days"]
        await connection.execute(f"CREATE TABLE views.{table}_2 (LIKE views.{table})")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await publish(connection, SERVING | {"user_days": f"{table}_2"})
        assert await oids(database) == before
        assert await connection.fetchval("SHOW lock_timeout") == "0"
    await publish(connection, SERVING | {"user_days": f"{table}_2"})
    await analyst.close()


async def test_where_small_groups_are_not_told_rows_of_people_are_for_those_who_may_see_everything(
    database, connection, views
):
    await publish(connection, SERVING)
    await keep_small_groups(connection, 3)
    await publish(connection, SERVING)
    for view in PUBLISHED:
        sql = f"SELECT * FROM {view.name}"
        await asked(database, "analyst_personal", sql)
        if view.audience in (PEOPLE, PERSONAL):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asked(database, "analyst", sql)
        else:
            await asked(database, "analyst", sql)
    await keep_small_groups(connection, 1)
    await publish(connection, SERVING)
    await asked(database, "analyst", "SELECT * FROM users")


async def test_roles_of_an_operators_own_keep_sums_alone_where_small_groups_are_not_told(
    database, connection, views, tool
):
    await publish(connection, SERVING)
    await database.query(f"GRANT SELECT ON analytics.users, analytics.days, analytics.user_history_personal TO {tool}")
    await database.query(f"GRANT SELECT (user_id) ON analytics.sessions TO {tool}")
    await database.query("GRANT SELECT ON analytics.user_days TO PUBLIC")
    assert await readable(database, tool) == {"users", "days", "user_history_personal", "sessions", "user_days"}
    await keep_small_groups(connection, 3)
    await publish(connection, SERVING)
    assert await readable(database, tool) == {"days"}
    of_people = {view.name for view in PUBLISHED if view.audience != SUMS}
    assert of_people <= await readable(database, database.role("analyst_personal"))
    assert not of_people & await readable(database, database.role("analyst"))
    await database.query(f"GRANT SELECT ON analytics.users TO {tool}")
    await publish(connection, SERVING)
    assert await readable(database, tool) == {"days"}, "whoever is let in afterwards, too"
    await database.query(f"GRANT {database.role('analyst_personal')} TO {tool}")
    assert of_people <= await readable(database, tool), "whom the one role is granted is one who may see everything"
    await keep_small_groups(connection, 1)
    await publish(connection, SERVING)
    await database.query(f"GRANT SELECT ON analytics.users TO {tool}")
    await publish(connection, SERVING)
    assert "users" in await readable(database, tool)


async def test_what_was_handed_on_by_whom_an_operator_let_in_is_taken_back_as_well(database, connection, views, tool):
    await publish(connection, SERVING)
    await database.query(f"GRANT SELECT ON analytics.users TO {tool} WITH GRANT OPTION")
    owner = await connect(database.owner_url, "tests")
    await owner.execute(f"SET ROLE {tool}")
    await owner.execute("GRANT SELECT ON analytics.users TO PUBLIC")
    await owner.close()
    await keep_small_groups(connection, 3)
    await publish(connection, SERVING)
    rows = await database.query("SELECT FROM pg_class, aclexplode(relacl) WHERE relname = 'users' AND grantee = 0")
    assert rows == []
    assert "users" not in await readable(database, tool)


async def test_an_older_edition_leaves_alone_what_a_newer_one_has_made(database, connection, views, monkeypatch):
    await publish(connection, SERVING)
    before = await oids(database)
    monkeypatch.setattr("projections.published.PUBLISHED", fewer_columns())
    monkeypatch.setattr("projections.published.EDITION", EDITION - 1)
    await publish(connection, SERVING)
    assert await oids(database) == before
    monkeypatch.setattr("projections.published.EDITION", EDITION + 1)
    await publish(connection, SERVING)
    assert await columns_of(database, "users") == 2
    await database.query("DELETE FROM published")
    monkeypatch.undo()
    await publish(connection, SERVING)
    assert await columns_of(database, "users") > 2, "whoever has gone back to an older version for good says so"


async def test_a_newer_version_of_a_model_is_left_to_those_who_know_it(database, connection, views):
    await publish(connection, SERVING)
    newer = "users_v99"
    await connection.execute(f"CREATE TABLE views.{newer} (LIKE views.{SERVING['users']})")
    await publish(connection, SERVING | {"users": newer})
    before = await oids(database)
    await publish(connection, SERVING)
    await publish(connection, SERVING | {"users": f"{SERVING['users']}_1"})
    assert await oids(database) == before
    await connection.execute(f"DROP TABLE views.{newer} CASCADE")
    await publish(connection, SERVING)
    assert (await oids(database)).keys() == before.keys(), "what is gone is made by whoever is there"


async def test_a_view_that_others_are_built_upon_stays_and_keeps_no_other_one_back(
    database, connection, views, monkeypatch
):
    await publish(connection, SERVING)
    await database.query("CREATE VIEW public.mine AS SELECT id, roles FROM analytics.users")
    monkeypatch.setattr("projections.published.PUBLISHED", fewer_columns())
    monkeypatch.setattr("projections.published.EDITION", EDITION + 1)
    assert await publish(connection, SERVING) == ["users"]
    assert await columns_of(database, "users") > 2
    assert await columns_of(database, "sessions") == 2
    await database.query("DROP VIEW public.mine")
    assert await publish(connection, SERVING) == []
    assert await columns_of(database, "users") == 2


def test_each_change_of_what_is_published_is_another_edition():
    """Should this fail: add one to EDITION, and note here what it is of."""
    text = "\n".join(line for view in PUBLISHED for line in (_template(view), *view.comments()))
    assert (EDITION, hashlib.sha256(text.encode()).hexdigest()[:16]) == (2, "bb4702404ea0c80c")


def _template(view: Published) -> str:
    return view.statement({model: f"{model}_v0" for model in view.of})


async def test_whom_a_view_does_not_know_is_in_no_row_of_people_and_counted(database, connection, views, log):
    await publish(connection, SERVING)
    ada, grace = uuid7(), uuid7()
    for person in (ada, grace):
        await log.add(person, UserRegistered("someone@example.com"))
        await log.add_to_session(person, uuid7(), SessionStarted(person, "password"))
    await log.add_raw(grace, "UserFlew", b"{}")
    for view in views.values():
        await view.catch_up()
    for view in PUBLISHED:
        rows = await asked(database, "analyst_personal", f"SELECT * FROM {view.name}")
        if view.audience != SUMS:
            assert {row.get("id", row.get("user_id")) for row in rows} == {ada}, view.name
    rows = await asked(database, "analyst", "SELECT parked FROM positions")
    assert [row["parked"] for row in rows] == [1, 1, 1, 1]
    (day,) = await asked(database, "analyst", "SELECT registrations, sign_ins FROM days")
    assert tuple(day.values()) == (2, 2), "what a sum knows of them it counts"


async def history(log, views: dict[str, View], days: dict[date, int], *then: Fact) -> None:
    """So many registrations on each day."""
    facts = [
        Fact(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), uuid7(), UserRegistered("x@example.com"))
        for day, count in days.items()
        for _ in range(count)
    ]
    await Past([*facts, *then]).write(log)
    await views["user_days"].catch_up()


@pytest.mark.parametrize(("smallest", "told"), [(5, None), (4, None), (3, None), (2, 8)])
async def test_a_month_is_not_told_from_which_a_small_day_or_week_would_follow(
    database, connection, views, log, smallest, told
):
    await publish(connection, SERVING)
    await history(log, views, {date(2026, 6, 1): 3, date(2026, 6, 3): 3, date(2026, 6, 10): 2})
    await keep_small_groups(connection, smallest)
    rows = await asked(
        database, "analyst", "SELECT registrations, active_users FROM retention WHERE cohort = '2026-06-01'"
    )
    assert {tuple(row.values()) for row in rows} == {(told, None if told is None else 0)}


async def test_sessions_of_few_users_are_null_however_many(database, connection, views, log):
    await publish(connection, SERVING)
    person, noon = uuid7(), datetime(2026, 6, 1, 12, tzinfo=UTC)
    came = [noon + timedelta(hours=after) for after in range(1, 8)]
    began = [Fact(at, person, SessionStarted(person, "password"), uuid7()) for at in came]
    await history(log, views, {}, Fact(noon, person, UserRegistered("x@example.com")), *began)
    for smallest, told in ((1, 7), (3, None)):
        await keep_small_groups(connection, smallest)
        (row,) = await asked(database, "analyst", "SELECT sign_ins FROM days WHERE day = '2026-06-01'")
        assert row["sign_ins"] == told


async def test_a_range_of_days_is_looked_up_day_by_day(database, connection, views, log):
    await publish(connection, SERVING)
    await history(log, views, {date(2026, 6, 1) + timedelta(days=after): 1 for after in range(30)})
    await connection.execute(f"ANALYZE views.{SERVING['user_days']}")
    analyst = await connect(database.url("projector"), "analyst")
    rows = await analyst.fetch(
        "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM analytics.days "
        "WHERE day >= date '2026-06-10' AND day < date '2026-06-12'"
    )
    scans = [row[0] for row in rows if SERVING["user_days"] in row[0] and "loops=" in row[0]]
    assert len(scans) >= 4
    assert all("loops=1)" in scan or "loops=2)" in scan for scan in scans), scans
    await analyst.close()


async def test_small_groups_are_null_and_nobody_is_zero(database, connection, views, log):
    await publish(connection, SERVING)
    await keep_small_groups(connection, 3)
    for place in range(3):
        person = uuid7()
        await log.add(person, UserRegistered(f"u{place}@example.com"))
        if place:
            await log.add(person, EmailVerified())
    await views["user_days"].catch_up()
    (day,) = await asked(database, "analyst", "SELECT * FROM days")
    assert (day["registrations"], day["verifications"], day["active_users"]) == (3, None, 0)
    (cohort,) = await asked(database, "analyst", "SELECT * FROM retention")
    assert (cohort["registrations"], cohort["active_users"]) == (3, 0)
    await keep_small_groups(connection, 4)
    (cohort,) = await asked(database, "analyst", "SELECT * FROM retention")
    assert (cohort["registrations"], cohort["active_users"]) == (None, None)


async def test_positions_tell_how_far_the_views_have_come(database, connection, views, log):
    await publish(connection, SERVING)
    await log.add(uuid7(), UserRegistered("ada@example.com"), EmailVerified())
    await views["users"].catch_up()
    rows = await asked(database, "analyst", "SELECT view, position FROM positions ORDER BY view")
    assert [tuple(row.values()) for row in rows] == [
        ("sessions", 0),
        ("user_days", 0),
        ("user_history", 0),
        ("users", 2),
    ]


def test_every_column_is_published_or_personal_or_kept_back_on_purpose():
    kept_back = {
        "users": {"position", "suspended", "locked_until", "erasure_due_at"},
        "user_history": {"position", "suspended", "locked_until", "erasure_due_at"},
        "user_names": {"position", "id", "registered_at", "name", "sought"},  # for searches alone
    }
    for model in MODELS:
        published = {
            view.audience: {column.name for column in view.columns}
            for view in PUBLISHED
            if view.of == (model.name,) and view.audience != SUMS
        }
        columns = {column.name for column in model.table.columns}
        assert published.get(PEOPLE, set()) | published.get(PERSONAL, set()) == columns - kept_back.get(
            model.name, {"position"}
        )
        assert not published.get(PEOPLE, set()) & PERSONAL_COLUMNS


async def test_on_the_oldest_postgres_as_on_the_newest(database15):
    connection = await connect(database15.url("projector"), "projector")
    for model in MODELS:
        await View(database15, connection).set_up(model)
    await publish(connection, SERVING)
    for view in PUBLISHED:
        await asked(database15, "analyst_personal", f"SELECT * FROM {view.name}")
    await connection.close()
