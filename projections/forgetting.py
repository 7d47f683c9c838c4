"""Takes the erased out of tables that nobody projects: those of versions that are no more, and what dead rebuilds have left.

Tables that are projected learn of an erasure from the log. The others stand still, and would keep what they knew.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import structlog

from events.connections import TROUBLE, Reading
from projections.causes import told
from projections.pausing import pause
from projections.read_model import ReadModel
from projections.rebuilds import RebuildUnderWay, hold, let_go
from projections.tables import tables_of

__all__ = ["forget_everywhere", "forget_regularly"]

EVERY_SECONDS: Final = 30.0
LOCK_TIMEOUT: Final = "1s"
_log = structlog.get_logger()

_TABLES: Final = """
    SELECT columns.table_name::text AS table, array_agg(columns.column_name::text) AS columns
    FROM information_schema.columns JOIN pg_tables
        ON pg_tables.schemaname = columns.table_schema AND pg_tables.tablename = columns.table_name
    WHERE columns.table_schema = 'views' AND columns.data_type = 'uuid' AND columns.table_name <> ALL($1)
    GROUP BY columns.table_name ORDER BY columns.table_name
"""


async def forget_everywhere(pool: asyncpg.Pool, models: Sequence[ReadModel[Any]]) -> int:
    """Drop what dead rebuilds have left, and remove the rows of the erased that stand in other tables; how many there were.

    Safe to repeat, and to do in many processes at once. Tables that others build at this moment are theirs to keep right.
    """
    removed = 0
    for table, columns in (await _unprojected(pool, models)).items():
        model = next((model for model in models if re.fullmatch(rf"{model.view}(_[0-9]+)?", table)), None)
        if model is not None:
            await _drop_dead(pool, model, table)
            continue
        for column in columns:
            removed += await _forget(pool, table, column)
    return removed


async def _unprojected(pool: Reading, models: Sequence[ReadModel[Any]]) -> dict[str, list[str]]:
    projected = [table for model in models for table in await tables_of(pool, model)]
    return {row["table"]: row["columns"] for row in await pool.fetch(_TABLES, projected)}


async def _drop_dead(pool: asyncpg.Pool, model: ReadModel[Any], table: str) -> None:
    """Drop a table of a version of this code that has no checkpoints, unless somebody builds it."""
    async with pool.acquire() as connection:
        try:
            await hold(connection, model)
        except RebuildUnderWay:
            return
        try:
            if table in await tables_of(connection, model):  # it follows the log by now
                return
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                await connection.execute(f'DROP TABLE IF EXISTS views."{table}"')
        except asyncpg.LockNotAvailableError:  # somebody reads it; there is another turn
            pass
        finally:
            await let_go(connection, model)


async def _forget(connection: Reading, table: str, column: str) -> int:
    done = await connection.execute(
        f'DELETE FROM views."{table}" WHERE "{column}" IN (SELECT subject_id FROM data_keys WHERE wrapped IS NULL)'  # noqa: S608 - names of ours
    )
    return int(done.rpartition(" ")[2])


async def forget_regularly(pool: asyncpg.Pool, models: Sequence[ReadModel[Any]], finished: asyncio.Event) -> None:
    """Do so now and every half minute until it is finished; what fails is tried again at the next turn."""
    while not finished.is_set():
        try:
            if removed := await forget_everywhere(pool, models):
                _log.info("the erased were taken out of tables that nobody projects", rows=removed)
        except TROUBLE as error:
            _log.warning("forgetting failed", error=told(error))
        await pause(EVERY_SECONDS, finished)
