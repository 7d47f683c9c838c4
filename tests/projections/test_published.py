"""Views for analysts are made, replaced and left alone."""

import asyncio
from typing import Any

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import EmailVerified, UserRegistered
from projections.models import MODELS
from projections.personal_columns import PERSONAL_COLUMNS
from projections.published import keep_small_groups, publish
from projections.published_view import PEOPLE, PERSONAL, Published
from projections.published_views import PUBLISHED
from tests.projections.conftest import View

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
    fewer = [
        Published(
            name=view.name,
            meaning=view.meaning,
            audience=view.audience,
            of=view.of,
            columns=view.columns[:2],
            source=view.source,
        )
        for view in PUBLISHED
    ]
    monkeypatch.setattr("projections.published.PUBLISHED", fewer)
    await publish(connection, SERVING)
    grants = await database.query(
        "SELECT grantee::int FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = 'analytics.users'::regclass"
    )
    assert 0 in [row["grantee"] for row in grants], "it is for all who may use the schema, still"
    (row,) = await database.query(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'analytics.users'::regclass AND attnum > 0"
    )
    assert row[0] == 2


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
            if view.of == (model.name,) and view.source == f"FROM {{{model.name}}}"
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
