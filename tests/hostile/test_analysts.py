"""An analyst who is after more than was granted."""

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import EmailVerified, UserRegistered
from projections.models import MODELS
from projections.personal_columns import PERSONAL_COLUMNS
from projections.published import publish
from projections.published_view import PERSONAL
from projections.published_views import PUBLISHED
from tests.projections.conftest import View, log

__all__ = ["log"]

REFUSED = [
    *(
        f"SELECT * FROM public.{table}"
        for table in (
            "stored_events", "secrets", "data_keys", "client_keys", "claims", "receipts", "signing_keys", "attempts",
            "deliveries", "checkpoints", "parked_events", "schedules", "published", "publishing", "sign_in_counts",
        )
    ),
    *(f"SELECT * FROM views.{model.consumer}" for model in MODELS),
    "SELECT public.reserve_attempt('', '', 5, 900)",
    "SELECT public.forget_attempts('', '')",
    "SELECT public.prune_receipts(1000)",
    "SELECT public.make_client_key('2026-01', gen_random_uuid(), '', '')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY users TO '/tmp/users'",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE '%writer'",
    "SELECT rolpassword FROM pg_authid",
    "CREATE TABLE mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE TABLE views.mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION citext",
    "DO $$ BEGIN PERFORM count(*) FROM public.secrets; END $$",
    "INSERT INTO users (id) VALUES (gen_random_uuid())",
    "UPDATE users SET status = 'active'",
    "DELETE FROM user_days",
    "DROP VIEW users",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "SET ROLE postgres",
]  # fmt: skip


@pytest.fixture
async def made(database, log):
    """Views with somebody in them, who has an address."""
    ada = uuid7()
    await log.add(ada, UserRegistered("ada@example.com", "Ada Lovelace", "en-GB"), EmailVerified())
    connection = await connect(database.url("projector"), "projector")
    for model in MODELS:
        view = View(database, connection)
        await view.set_up(model)
        await view.catch_up()
    await publish(connection, {model.name: model.consumer for model in MODELS})
    await connection.close()
    return database


@pytest.mark.parametrize("role", ["analyst", "analyst_personal"])
async def test_everything_else_is_refused(made, role):
    connection = await connect(made.url(role), "hostile")
    await connection.execute("SET default_transaction_read_only = off; SET statement_timeout = 0")
    for statement in REFUSED:
        try:
            await connection.execute(statement)
        except asyncpg.PostgresError as error:
            refused = error
        else:
            pytest.fail(statement)
        # Some of PostgreSQL's own names for it: there is no such thing, or not for this role.
        assert refused.sqlstate in ("42501", "0A000", "28000", "3F000", "42P01"), f"{statement}: {refused}"
    await connection.close()


async def test_what_is_personal_is_for_the_role_to_which_it_was_granted(made):
    analyst = await connect(made.url("analyst"), "hostile")
    personal = await connect(made.url("analyst_personal"), "hostile")
    for view in PUBLISHED:
        sql = f"SELECT * FROM analytics.{view.name} AS row"
        told = str(await personal.fetch(sql))
        assert ("ada@example.com" in told) == (view.audience == PERSONAL)
        if view.audience == PERSONAL:
            personal_ones = PERSONAL_COLUMNS & {column.name for column in view.columns}
            for column in (*personal_ones, "id", "count(*)", "row::text"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await analyst.fetch(f"SELECT {column} FROM analytics.{view.name} AS row")
        else:
            assert "ada@example.com" not in str(await analyst.fetch(sql))
            assert "Lovelace" not in str(await analyst.fetch(sql))
    statistics = "SELECT tablename FROM pg_stats WHERE schemaname IN ('views', 'public')"
    assert await analyst.fetch(statistics) == []
    assert await personal.fetch(statistics) == []
    await analyst.close()
    await personal.close()


async def test_only_the_schema_for_analysts_is_open(made):
    before = await made.query(
        "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'analytics'::regnamespace ORDER BY 1"
    )
    for role in ("analyst", "analyst_personal"):
        connection = await connect(made.url(role), "hostile")
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(
            "GRANT SELECT ON users, user_days TO PUBLIC"
        )  # which is taken, with a warning, for nothing
        rows = await connection.fetch(
            "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(oid, 'USAGE') "
            "AND nspname NOT IN ('pg_catalog', 'information_schema')"
        )
        assert [row[0] for row in rows] == ["analytics"]
        rows = await connection.fetch(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'v', 'm', 'S') "
            "AND nspname NOT IN ('pg_catalog', 'information_schema') AND has_schema_privilege(n.oid, 'USAGE') "
            "AND has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')"
        )
        readable = {view.name for view in PUBLISHED if role == "analyst_personal" or view.audience != PERSONAL}
        assert {row[0] for row in rows} == readable
        await connection.close()
    after = await made.query(
        "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'analytics'::regnamespace ORDER BY 1"
    )
    assert after == before


async def test_a_session_of_theirs_begins_bounded(made):
    connection = await connect(made.url("analyst"), "hostile")
    assert await connection.fetchval("SHOW default_transaction_read_only") == "on"
    assert await connection.fetchval("SHOW statement_timeout") == "5min"
    assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == "1min"
    assert await connection.fetchval("SELECT current_schemas(false)") == ["analytics"]
    assert await connection.fetchval("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user") == 10
    await connection.close()


async def test_no_condition_of_theirs_is_looked_at_before_a_small_group_is_hidden(made):
    await made.query("UPDATE publishing SET smallest_group = 5")
    connection = await connect(made.url("analyst"), "hostile")
    for sql in (
        "SELECT * FROM days WHERE 1 / (registrations - 1) > 0",
        "SELECT * FROM days WHERE registrations = 1",
        "SELECT * FROM retention WHERE 1 / (registrations - 1) > 0",
    ):
        assert await connection.fetch(sql) == []
    await connection.close()
