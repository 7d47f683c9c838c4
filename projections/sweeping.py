"""Sweeps out what is kept for a time only: receipts, failed sign-ins, and the keys of clients' addresses."""

import asyncio
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import asdict

from events.connections import TROUBLE, Reading
from projections.causes import told
from projections.pausing import pause

__all__ = ["Swept", "sweep", "sweep_regularly"]

EVERY_SECONDS: Final = 3600.0
AT_ONCE: Final = 1000

_log = structlog.get_logger()


class Swept(Struct, frozen=True):
    """How much went: receipts that have expired, counts of attempts whose time is over, keys of months after theirs."""

    receipts: int = 0
    attempts: int = 0
    client_keys: int = 0


async def sweep(pool: Reading, client_retention_days: int) -> Swept:
    """Sweep out whatever its time is over for. Safe to repeat and to run in many processes at once."""
    receipts = await _pruned(pool, "SELECT prune_receipts($1)")
    attempts = await _pruned(pool, "SELECT prune_attempts($1)")
    return Swept(receipts, attempts, await pool.fetchval("SELECT expire_client_keys($1)", client_retention_days))


async def _pruned(pool: Reading, prune: str) -> int:
    pruned = 0
    while swept := await pool.fetchval(prune, AT_ONCE):
        pruned += swept
    return pruned


async def sweep_regularly(pool: Reading, client_retention_days: int, finished: asyncio.Event) -> None:
    """Sweep now and every hour until it is finished; what fails is tried again at the next turn."""
    while not finished.is_set():
        try:
            swept = await sweep(pool, client_retention_days)
            if swept != Swept():
                _log.info("swept", **asdict(swept))
        except TROUBLE as error:
            _log.warning("sweeping failed", cause=told(error))
        await pause(EVERY_SECONDS, finished)
