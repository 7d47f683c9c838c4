"""Servers that the user brings to `muster up`: whether they can be used, told within a bounded time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from api.processes import CannotStart

__all__ = ["check_database", "check_redis", "check_smtp", "shown", "without_user"]

T = TypeVar("T")

PATIENCE = 10.0


async def check_database(url: str) -> None:
    """Come back when PostgreSQL answers. Raises `CannotStart` when it does not, refuses, or is older than 15."""

    async def ask() -> int:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
        try:
            major: int = connection.get_server_version().major
            return major
        finally:
            await connection.close()

    try:
        version = await _patiently(ask, (OSError, asyncpg.CannotConnectNowError))
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unusable(
            "MUSTER_DATABASE_URL", url, error, "Without it, `muster up` starts a PostgreSQL of its own."
        ) from None
    if version < 15:
        raise CannotStart(f"MUSTER_DATABASE_URL: {shown(url)} is PostgreSQL {version}, and Muster needs 15 or newer.")


async def check_redis(url: str) -> None:
    """Come back when Redis answers. Raises `CannotStart` when it does not, or refuses."""
    from redis import BusyLoadingError, RedisError  # a fifth of a second, for those who bring their own
    from redis.asyncio import Redis

    async def ask() -> None:
        async with Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
            try:
                await client.ping()
            except RedisError as error:
                raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None

    try:
        await _patiently(ask, (OSError, BusyLoadingError))
    except (OSError, ValueError, TimeoutError, RedisError) as error:
        raise _unusable("MUSTER_REDIS_URL", url, error, "Without it, `muster up` starts a Valkey of its own.") from None


async def check_smtp(url: str) -> str | None:
    """What is wrong with the mail server at the moment: no reason not to start, since mail is tried again for hours."""
    parts = urlsplit(url)
    try:
        port = parts.port or (465 if parts.scheme == "smtps" else 25)
        _, writer = await asyncio.wait_for(asyncio.open_connection(parts.hostname, port), 5)
        writer.close()
    except (OSError, ValueError, TimeoutError) as error:
        return f"MUSTER_SMTP_URL: {shown(url)} cannot be reached now ({_words(error)}). Mail will wait until it can."
    return None


async def _patiently(ask: Callable[[], Awaitable[T]], again: tuple[type[Exception], ...]) -> T:
    """The answer; asked again after such errors, since a server that was started at the same time may need a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await asyncio.wait_for(ask(), PATIENCE)
        except again:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


def _unusable(variable: str, url: str, error: Exception, otherwise: str) -> CannotStart:
    return CannotStart(
        f"{variable}: {shown(url)} cannot be used: {_words(error)}. Correct it or start that server. {otherwise}"
    )


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return str(error).rstrip(".") or type(error).__name__


def shown(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    user, _, place = parts.netloc.rpartition("@")
    user = user.split(":", 1)[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{place}" if user else place))


def without_user(url: str) -> str:
    """The database's URL without user and password, for processes that have roles of their own."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in ("user", "password", "passfile")]
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # urlunsplit loses an empty place
    return f"{place}?{urlencode(query)}" if query else place
