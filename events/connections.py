"""Connections to the store, opened with the settings that every one of ours has."""

from typing import Any, TypeAlias

import asyncpg

__all__ = ["Reading", "connect", "open_pool"]

Reading: TypeAlias = asyncpg.Connection | asyncpg.Pool
"""What can be asked: a connection that is held, or a pool that lends one for each question."""


async def _nothing_to_reset(_connection: Any) -> None:
    """Our statements leave no session state behind, and the usual reset costs 40 % of a small read."""


async def connect(url: str, application_name: str) -> asyncpg.Connection:
    """One connection, times in UTC. Raises OSError or asyncpg's errors when the server is not there."""
    return await asyncpg.connect(
        url, server_settings={"application_name": application_name, "TimeZone": "UTC"}, timeout=10
    )


async def open_pool(url: str, application_name: str, size: int) -> asyncpg.Pool:
    """Held connections that are lent without a reset in between, each with its own prepared statements."""
    return await asyncpg.create_pool(
        url,
        min_size=min(2, size),
        max_size=size,
        reset=_nothing_to_reset,
        max_inactive_connection_lifetime=0,
        server_settings={"application_name": application_name, "TimeZone": "UTC"},
        timeout=10,
    )
