"""Sweeps out what is kept for a time only: receipts after a day, the keys of clients' addresses after their retention."""

import asyncio
import contextlib
from typing import Final

import asyncpg
import structlog

from events.connections import Reading
from projections.causes import told

__all__ = ["sweep", "sweep_regularly"]

EVERY_SECONDS: Final = 3600.0
AT_ONCE: Final = 1000

_log = structlog.get_logger()


async def sweep(pool: Reading, client_retention_days: int) -> tuple[int, int]:
    """How many receipts and keys of months went. Safe to repeat and to run in many processes at once."""
    receipts = 0
    while swept := await pool.fetchval("SELECT prune_receipts($1)", AT_ONCE):
        receipts += swept
    months: int = await pool.fetchval("SELECT expire_client_keys($1)", client_retention_days)
    return receipts, months


async def sweep_regularly(pool: Reading, client_retention_days: int, finished: asyncio.Event) -> None:
    """Sweep now and every hour until it is finished; what fails is tried again at the next turn."""
    while not finished.is_set():
        try:
            receipts, months = await sweep(pool, client_retention_days)
            if receipts or months:
                _log.info("swept", receipts=receipts, client_keys=months)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("sweeping failed", cause=told(error))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await finished.wait()
