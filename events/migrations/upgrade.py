"""Brings a database to the newest revision, from nothing or from any earlier one."""

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from events.migrations.roles import ensure_roles

__all__ = ["HEAD", "migrate"]

HEAD = "0010"
FOLDER = Path(__file__).parent
_LOCK = 0x6D696772


async def migrate(owner_url: str, secret: bytes) -> bool:
    """Make or upgrade the durable tables and the roles; whether anything had to be upgraded.

    Safe to repeat and to run twice at once: the second waits for the first. Raises asyncpg's errors where the owner
    lacks a right, and nothing is left half-done: all revisions are one transaction.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        database = await connection.fetchval("SELECT current_database()")
        await ensure_roles(connection, database, secret)
        if await _revision(connection) == HEAD:
            return False
        await _upgrade(owner_url, database)
        return True
    finally:
        await connection.close()


async def _revision(connection: asyncpg.Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM public.alembic_version")
    return revision


async def _upgrade(owner_url: str, database: str) -> None:
    from alembic import command  # slow to import, and seldom needed
    from alembic.config import Config
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        config.attributes["database"] = database
        command.upgrade(config, "head")

    engine = create_async_engine(urlsplit(owner_url)._replace(scheme="postgresql+asyncpg").geturl(), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()
