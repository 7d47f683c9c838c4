"""Epochs: after a restore from a backup the log is another one, although its positions look the same."""

from datetime import datetime

import asyncpg
from msgspec import Struct

from events.connections import Reading

__all__ = ["Epoch", "NotReconciled", "begin_epoch", "current_epoch"]


class NotReconciled(Exception):
    """This log was restored from a backup, and erasures of after it are not applied yet: run `muster keys reconcile` first."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Epoch(Struct, frozen=True):
    """The `number` of an epoch, the position at which the log ended when it began, and when that was."""

    number: int
    position: int
    began_at: datetime


async def current_epoch(connection: Reading) -> Epoch:
    """The epoch that this log is in. Raises `NotReconciled` for one that was restored and has none yet."""
    row = await connection.fetchrow("SELECT number, position, began_at FROM epochs ORDER BY number DESC LIMIT 1")
    if row is None:
        raise NotReconciled
    return Epoch(*row)


async def begin_epoch(connection: asyncpg.Connection, after: int) -> Epoch:
    """Begin another epoch, as the owner, with a number above `after` and above those that are there."""
    row = await connection.fetchrow(
        "INSERT INTO epochs (number, position) SELECT greatest($1, (SELECT max(number) FROM epochs)) + 1, "
        "(SELECT coalesce(max(notification_id), 0) FROM stored_events) RETURNING number, position, began_at",
        after,
    )
    return Epoch(*row)
