"""Reads streams and the log, decoded and unsealed."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from events.codec import decode
from events.connections import Reading
from events.data_keys import DataKeys
from events.event import Event, Recorded

__all__ = ["COLUMNS", "head", "read_log", "read_stream", "recorded"]

COLUMNS = (
    "originator_id, originator_version, topic, state, notification_id, stream_type, subject_id, recorded_at, metadata"
)


def recorded(row: Any, keys: DataKeys) -> Recorded[Event]:
    """An event from a row of `COLUMNS`; the subject's key must have been fetched, and no key reads as forgotten."""
    subject = row["subject_id"]
    stream_id, version = row["originator_id"], row["originator_version"]
    return Recorded(
        decode(row["topic"], row["state"], stream_id, version, keys.fetched(subject) if subject else None),
        row["notification_id"],
        stream_id,
        row["stream_type"],
        version,
        subject,
        row["recorded_at"],
        row["metadata"] or "",
    )


async def read_stream(connection: Reading, keys: DataKeys, stream_id: UUID) -> list[Recorded[Event]]:
    """All events of a stream, by version; none where there is no such stream.

    Raises `UnknownEvent` for what this version does not know, `SealBroken` for what was tampered with.
    """
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM stored_events WHERE originator_id = $1 ORDER BY originator_version",  # noqa: S608 - constant
        stream_id,
    )
    return await _decoded(connection, keys, rows)


async def read_log(
    connection: Reading,
    keys: DataKeys,
    *,
    after: int,
    limit: int,
    subject_id: UUID | None = None,
    topics: Iterable[str] | None = None,
) -> list[Recorded[Event]]:
    """At most `limit` events after a position, in commit order, without gaps; of one subject or of some types only."""
    conditions, values = ["notification_id > $1"], [after, limit]
    if subject_id is not None:
        values.append(subject_id)  # type: ignore[arg-type] # arguments of any type
        conditions.append(f"subject_id = ${len(values)}")
    if topics is not None:
        values.append(list(topics))  # type: ignore[arg-type] # arguments of any type
        conditions.append(f"topic = ANY(${len(values)})")
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM stored_events WHERE {' AND '.join(conditions)} "  # noqa: S608 - made of constants
        "ORDER BY notification_id LIMIT $2",
        *values,
    )
    return await _decoded(connection, keys, rows)


async def head(connection: Reading) -> int:
    """The position of the last event; 0 for an empty log."""
    position: int = await connection.fetchval("SELECT coalesce(max(notification_id), 0) FROM stored_events")
    return position


async def _decoded(connection: Reading, keys: DataKeys, rows: Sequence[Any]) -> list[Recorded[Event]]:
    await keys.fetch(connection, {row["subject_id"] for row in rows if row["subject_id"]})
    return [recorded(row, keys) for row in rows]
