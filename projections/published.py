"""Publishes views for analysts: makes those of the schema `analytics` over the tables that serve, and says who may read them."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import structlog

from events.connections import TROUBLE
from events.migrations.roles import role_names
from projections.causes import told
from projections.published_view import PERSONAL, SUMS, Published
from projections.published_views import PUBLISHED
from projections.read_model import ReadModel
from projections.serving import serving

__all__ = ["keep_small_groups", "publish", "publish_regularly", "publish_what_serves"]

_LOCK: Final = 0x7075626C
PATIENCE: Final = "2s"
AGAIN_SECONDS: Final = 5.0

_log = structlog.get_logger()


async def publish(connection: asyncpg.Connection, tables: Mapping[str, str]) -> None:
    """Make or replace the views over these tables: the name of each read model with that of the table that serves it.

    With the projector's rights, in a transaction of the caller's if there is one. Views of models that are not named
    stay as they are; what has not changed is not touched, so that nobody who reads is waited for. What was granted to
    others on a view stays granted. Safe to repeat, and to do twice at once.

    Raises `LockNotAvailableError` when someone reads a view that has to be replaced for longer than two seconds; then
    nothing is changed, and it is to be tried again.
    """
    async with connection.transaction():
        patience = await connection.fetchval("SELECT current_setting('lock_timeout')")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute("SELECT set_config('lock_timeout', $1, true)", PATIENCE)
        row = await connection.fetchrow("SELECT smallest_group, current_database() AS database FROM publishing")
        roles = role_names(row["database"])
        made = dict(await connection.fetch("SELECT view, definition FROM published"))
        for view in PUBLISHED:
            if not set(view.of) <= tables.keys():
                continue
            readers = [roles[role] for role in _readers(view, row["smallest_group"])]
            others = [roles[role] for role in ("analyst", "analyst_personal") if roles[role] not in readers]
            statement = view.statement(tables)
            definition = "\n".join([statement, *view.comments(), *readers])
            if made.get(view.name) != definition or not await _is_there(connection, view):
                await _make(connection, view, statement, readers, others)
                await _note(connection, view.name, definition)
        await connection.execute("SELECT set_config('lock_timeout', $1, true)", patience)


def _readers(view: Published, smallest_group: int) -> Sequence[str]:
    """Where small groups are not told, rows of single people are not shown to those who see no more of them."""
    if view.audience == PERSONAL or (view.audience != SUMS and smallest_group > 1):
        return ("analyst_personal",)
    return ("analyst", "analyst_personal")


async def _is_there(connection: asyncpg.Connection, view: Published) -> bool:
    return await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"analytics.{view.name}") or False


async def _make(
    connection: asyncpg.Connection, view: Published, statement: str, readers: Sequence[str], others: Sequence[str]
) -> None:
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.InvalidTableDefinitionError:  # columns were renamed or removed, which no replacing does
        grants = await _grants(connection, view)
        await connection.execute(f"DROP VIEW analytics.{view.name}")
        await connection.execute(statement)
        for grant in grants:
            await connection.execute(grant)
    for comment in view.comments():
        await connection.execute(comment)
    owner = await connection.fetchval("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'analytics'")
    await connection.execute(f"GRANT SELECT ON analytics.{view.name} TO {', '.join(readers)}")
    await connection.execute(f"GRANT SELECT ON analytics.{view.name} TO {owner} WITH GRANT OPTION")  # to hand it on
    if others:
        await connection.execute(f"REVOKE ALL ON analytics.{view.name} FROM {', '.join(others)}")


async def _grants(connection: asyncpg.Connection, view: Published) -> list[str]:
    """What an operator granted to others, to be granted again."""
    rows = await connection.fetch(
        "SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee "
        "FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = to_regclass($1) AND privilege_type = 'SELECT'",
        f"analytics.{view.name}",
    )
    return [f"GRANT SELECT ON analytics.{view.name} TO {row['grantee']}" for row in rows]


async def _note(connection: asyncpg.Connection, name: str, definition: str) -> None:
    await connection.execute(
        "INSERT INTO published (view, definition) VALUES ($1, $2) "
        "ON CONFLICT (view) DO UPDATE SET definition = excluded.definition",
        name,
        definition,
    )


async def keep_small_groups(connection: asyncpg.Connection, smallest_group: int) -> None:
    """Say how many a group must have for its size to be told. Views obey at once, rights at the next `publish`."""
    await connection.execute("UPDATE publishing SET smallest_group = $1 WHERE smallest_group <> $1", smallest_group)


async def publish_what_serves(connection: asyncpg.Connection, models: Iterable[ReadModel[Any]]) -> None:
    """`publish` over the tables that serve now, of these models in these versions. Raises as that does."""
    known = {(model.name, model.version) for model in models}
    found = await serving(connection)
    await publish(
        connection, {one.name: one.serving for one in found if one.serving and (one.name, one.version) in known}
    )


async def publish_regularly(
    pool: asyncpg.Pool, models: Iterable[ReadModel[Any]], smallest_group: int, finished: asyncio.Event
) -> None:
    """Keep the views over the tables that serve until it is finished; what fails is tried again at the next turn."""
    failing = False
    while not finished.is_set():
        try:
            async with pool.acquire() as connection:
                await keep_small_groups(connection, smallest_group)
                await publish_what_serves(connection, models)
            failing = False
        except TROUBLE as error:
            if not failing:
                _log.warning("views of analysts not published yet", error=told(error))
            failing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_SECONDS):
                await finished.wait()
