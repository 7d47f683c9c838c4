"""What reactions owe and what became of it. References only: the text is made when it is sent, so nothing personal lies here.

Every change is one statement. Times are the database's, so that workers whose clocks differ agree; tests give `now`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid5

import asyncpg
from msgspec import Struct

from commands.user import MAIL_WAITS_SECONDS
from events.connections import Reading

__all__ = [
    "DUE_AFTER_SECONDS",
    "Delivery",
    "Owed",
    "any_due",
    "begin_attempt",
    "hold",
    "owe",
    "postpone",
    "settle",
]

DUE_AFTER_SECONDS: Final = MAIL_WAITS_SECONDS
"""Mail waits until the answer to the command is out: the time of an answer must not tell whether mail is written."""

INTERRUPTED: Final = "The attempt was interrupted: whether the mail was taken is not known."
_HOLD_SECONDS: Final = 2


class Owed(Struct, frozen=True):
    """A delivery that an event calls for, before it is written down."""

    position: int
    reaction: str
    slot: str
    stream_id: UUID
    version: int
    subject_id: UUID

    @property
    def id(self) -> UUID:
        """The same for the same event, reaction and slot, in this installation and in a restored copy of it."""
        return uuid5(self.stream_id, f"{self.version}/{self.reaction}/{self.slot}")


class Delivery(Struct, frozen=True):
    """A delivery that is being attempted for the `attempts`th time, at `now` by the database's clock."""

    id: UUID
    position: int
    reaction: str
    slot: str
    subject_id: UUID
    attempts: int
    now: datetime


async def owe(connection: asyncpg.Connection, owed: Sequence[Owed]) -> None:
    """Write deliveries down, in the transaction that moves the reaction's checkpoint; one that is there stays as it is."""
    if owed:
        await connection.execute(
            "INSERT INTO deliveries (id, position, reaction, slot, subject_id, next_attempt_at) "
            "SELECT owed.*, clock_timestamp() + make_interval(secs => $6) "
            "FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::uuid[]) AS owed ON CONFLICT DO NOTHING",
            [delivery.id for delivery in owed],
            [delivery.position for delivery in owed],
            [delivery.reaction for delivery in owed],
            [delivery.slot for delivery in owed],
            [delivery.subject_id for delivery in owed],
            DUE_AFTER_SECONDS,
        )


async def any_due(connection: Reading, now: datetime | None = None) -> bool:
    """Whether there is anything to send."""
    due: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM deliveries WHERE status = 'waiting' "
        "AND next_attempt_at <= coalesce($1, clock_timestamp()))",
        now,
    )
    return due


async def begin_attempt(connection: asyncpg.Connection, now: datetime | None = None) -> Delivery | None:
    """Count an attempt at the delivery that has been due for longest, on disk before it begins; None when none is due.

    Then `hold` it. It is passed over by others for some seconds, and while it is held.
    """
    row = await connection.fetchrow(
        "UPDATE deliveries SET attempts = attempts + 1, cause = $2, "
        "next_attempt_at = coalesce($1, clock_timestamp()) + make_interval(secs => $3) "
        "WHERE id = (SELECT id FROM deliveries WHERE status = 'waiting' "
        "AND next_attempt_at <= coalesce($1, clock_timestamp()) "
        "ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, position, reaction, slot, subject_id, attempts, coalesce($1, clock_timestamp()) AS now",
        now,
        INTERRUPTED,
        _HOLD_SECONDS,
    )
    return None if row is None else Delivery(**row)


async def hold(connection: asyncpg.Connection, delivery: Delivery) -> bool:
    """Lock a delivery in the present transaction, which lasts as long as the attempt: whoever dies lets go of it.

    False when someone else was faster. Whoever looked for the next delivery just now may have this one locked for a moment,
    having found it due before it was begun: that is waited for, or the attempt would be lost.
    """
    held = await connection.fetchval(
        "SELECT true FROM deliveries WHERE id = $1 AND status = 'waiting' AND attempts = $2 FOR UPDATE",
        delivery.id,
        delivery.attempts,
    )
    return held is not None


async def settle(
    connection: asyncpg.Connection,
    delivery: Delivery,
    status: Literal["sent", "obsolete", "dead"],
    cause: str | None = None,
) -> None:
    """That was it: sent, of no use any more, or given up."""
    await connection.execute(
        "UPDATE deliveries SET status = $2, cause = $3, settled_at = clock_timestamp() WHERE id = $1",
        delivery.id,
        status,
        cause,
    )


async def postpone(connection: asyncpg.Connection, delivery: Delivery, seconds: float, cause: str) -> None:
    """Try again later, and say why."""
    await connection.execute(
        "UPDATE deliveries SET next_attempt_at = $2::timestamptz + make_interval(secs => $3), cause = $4 WHERE id = $1",
        delivery.id,
        delivery.now,
        seconds,
        cause,
    )
