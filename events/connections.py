"""Connections to the store, opened with the settings that every one of ours has."""

from typing import Any, Final, TypeAlias

import asyncpg

__all__ = ["BY_KEYS", "TROUBLE", "Reading", "connect", "is_lost", "is_unavailable", "open_pool"]

Reading: TypeAlias = asyncpg.Connection | asyncpg.Pool
"""What can be asked: a connection that is held, or a pool that lends one for each question."""

TROUBLE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a question can meet when the server, or the way to it, is in trouble; for those who ask again."""


BY_KEYS: Final = {"enable_seqscan": "off", "jit": "off"}
"""Settings of connections that ask by keys alone.

A plan is kept until PostgreSQL notices that a table has grown, a minute later at best. One that was made among a few rows
would go over whole tables meanwhile, for each of all that are written.
"""


async def _nothing_to_reset(_connection: Any) -> None:
    """Our statements leave no session state behind, and the usual reset costs 40 % of a small read."""


async def connect(url: str, application_name: str, **settings: str) -> asyncpg.Connection:
    """One connection, times in UTC; `settings` are PostgreSQL's.

    Raises OSError or asyncpg's errors when the server is not there.
    """
    return await asyncpg.connect(
        url, server_settings={"application_name": application_name, "TimeZone": "UTC", **settings}, timeout=10
    )


async def open_pool(url: str, application_name: str, size: int, **settings: str) -> asyncpg.Pool:
    """Held connections that are lent without a reset in between, each with its own prepared statements.

    `settings` are PostgreSQL's, of each connection.
    """
    return await asyncpg.create_pool(
        url,
        min_size=min(2, size),
        max_size=size,
        reset=_nothing_to_reset,
        max_inactive_connection_lifetime=0,
        server_settings={"application_name": application_name, "TimeZone": "UTC", **settings},
        timeout=10,
    )


def is_lost(error: BaseException) -> bool:
    """Whether an error means that the connection is gone, or never came about, whatever became of what was asked.

    Besides the network's and the server's own words (classes 08 and 57P of SQLSTATE) that is asyncpg's complaint about
    its state, which is what a question gets that meets the end of its connection.
    """
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(("08", "57P"))
    return isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def is_unavailable(error: BaseException) -> bool:
    """Whether an error is the store's trouble and not that of what was asked.

    That is a lost connection, too few resources, a standby, an operator's intervention or a failing disk.
    """
    if is_lost(error):
        return True
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith(("25006", "53", "57", "58"))
