"""Drops tables of read models that serve nobody any more."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import asyncpg
import structlog

from events.connections import is_lost
from projections.causes import told
from projections.checkpoints import PREPARE_LOCK
from projections.models import MODELS
from projections.published import PATIENCE, publish_what_serves
from projections.read_model import ReadModel
from projections.serving import builder_name, serving

__all__ = ["drop_kept", "drop_leftovers"]

_log: Final = structlog.get_logger()


async def drop_kept(connection: asyncpg.Connection, model: ReadModel[Any]) -> list[str]:
    """Drop the table that served before, and all tables of earlier versions; their names. Nothing that serves this version.

    Raises `LockNotAvailableError` when an analyst reads for long what stands on one of them, and
    `DependentObjectsStillExistError` when a view does that has to stay; then nothing is dropped.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PREPARE_LOCK)
        dropped: list[str] = []
        for found in await serving(connection, model.name):
            if found.version < model.version:
                dropped += [table for table in (found.serving, found.previous) if table]
            elif found.version == model.version and found.previous:
                dropped.append(found.previous)
        await connection.execute("DELETE FROM read_models WHERE name = $1 AND version < $2", model.name, model.version)
        await connection.execute("DELETE FROM rebuilds WHERE name = $1 AND version < $2", model.name, model.version)
        await connection.execute(
            "UPDATE read_models SET previous = NULL WHERE name = $1 AND version = $2", model.name, model.version
        )
        if dropped:
            await publish_what_serves(connection, MODELS)
            await _drop(connection, dropped)
    return dropped


async def drop_leftovers(connection: asyncpg.Connection, model: ReadModel[Any], spare: str | None = None) -> list[str]:
    """Drop the tables of this version that neither serve nor are kept, but `spare`: what dead rebuilds have left.

    To be done by whoever holds the rebuild's lock. Sessions that still build such a table are ended. What an analyst reads
    for long, or what a view of theirs stands on that cannot be replaced, is left to the next rebuild.
    """
    rows = await connection.fetch(
        """WITH known AS (SELECT serving, previous FROM read_models WHERE name = $1 AND version = $2)
        SELECT found FROM (
            SELECT tablename::text AS found FROM pg_tables WHERE schemaname = 'views'
            UNION SELECT consumer FROM checkpoints
            UNION SELECT consumer FROM parked_events
        ) AS tables
        WHERE found ~ ('^' || $1 || '_v' || $2 || '(_[0-9]+)?$') AND found IS DISTINCT FROM $3
            AND NOT EXISTS (SELECT FROM known WHERE found IN (serving, previous))
        ORDER BY found""",
        model.name,
        model.version,
        spare,
    )
    left = [row["found"] for row in rows]
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = current_user AND pid <> pg_backend_pid() AND application_name = ANY($1)",
        [builder_name(table) for table in left],
    )
    if not left:
        return []
    with _left_to_others(left):
        await publish_what_serves(connection, MODELS)
    dropped: list[str] = []
    for table in left:
        with _left_to_others([table]):
            async with connection.transaction():
                await connection.execute("SELECT set_config('lock_timeout', $1, true)", PATIENCE)
                await _drop(connection, [table])
            dropped.append(table)
    return dropped


@contextlib.contextmanager
def _left_to_others(tables: Sequence[str]) -> Iterator[None]:
    """What PostgreSQL does not do now is tried again by the next rebuild, and fails none; but for a connection that is lost."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if is_lost(error):
            raise
        _log.warning("tables are left for the next rebuild", tables=tables, error=told(error))


async def _drop(connection: asyncpg.Connection, tables: Sequence[str]) -> None:
    """With their checkpoints and what they had parked."""
    await connection.execute("DELETE FROM checkpoints WHERE consumer = ANY($1)", tables)
    await connection.execute("DELETE FROM parked_events WHERE consumer = ANY($1)", tables)
    for table in tables:
        await connection.execute(f'DROP TABLE IF EXISTS views."{table}"')
