"""Reads streams and the log, decoded and unsealed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from events.codec import SealBroken, decode
from events.connections import Reading
from events.data_keys import DataKeys
from events.event import Event, Recorded, UnknownEvent
from events.rows import OF_A_STREAM, log_rows, stream_rows, streams_rows

__all__ = ["head", "read_log", "read_stream", "read_streams", "recorded"]


def recorded(row: Any, keys: DataKeys | None) -> Recorded[Event]:
    """An event from a row of `COLUMNS`; the subject's key must have been fetched, and no key reads as forgotten.

    Without `keys` no seal is opened: all that is personal reads as forgotten.
    """
    subject = row["subject_id"]
    stream_id, version = row["originator_id"], row["originator_version"]
    return Recorded(
        decode(row["topic"], row["state"], stream_id, version, keys.fetched(subject) if keys and subject else None),
        row["notification_id"],
        stream_id,
        row["stream_type"],
        version,
        subject,
        row["recorded_at"],
        row["metadata"] or "",
    )


async def read_stream(
    connection: Reading, keys: DataKeys, stream_id: UUID, *, until: int | None = None
) -> list[Recorded[Event]]:
    """All events of a stream, by version, or those until one (included), without metadata; none for no such stream.

    Raises `UnknownEvent` for what this version does not know, `SealBroken` for what was tampered with.
    """
    rows = await stream_rows(connection, stream_id, until=until, columns=OF_A_STREAM)
    await keys.fetch(connection, {row[5] for row in rows if row[5]})
    history = []
    for version, topic, state, position, stream_type, subject, recorded_at in rows:
        event = decode(topic, state, stream_id, version, keys.fetched(subject) if subject else None)
        history.append(Recorded(event, position, stream_id, stream_type, version, subject, recorded_at))
    return history


async def read_streams(
    connection: Reading, keys: DataKeys, stream_ids: Sequence[UUID]
) -> dict[UUID, list[Recorded[Event]] | Exception]:
    """The events of several streams at once, each as `read_stream` has them, or the error that it would raise."""
    rows = await streams_rows(connection, stream_ids)
    await keys.fetch(connection, {row[6] for row in rows if row[6]})
    streams: dict[UUID, list[Recorded[Event]] | Exception] = {stream_id: [] for stream_id in stream_ids}
    for stream_id, version, topic, state, position, stream_type, subject, recorded_at in rows:
        history = streams[stream_id]
        if isinstance(history, Exception):
            continue
        try:
            event = decode(topic, state, stream_id, version, keys.fetched(subject) if subject else None)
        except (UnknownEvent, SealBroken, msgspec.MsgspecError) as error:
            streams[stream_id] = error
        else:
            history.append(Recorded(event, position, stream_id, stream_type, version, subject, recorded_at))
    return streams


async def read_log(
    connection: Reading,
    keys: DataKeys,
    *,
    after: int,
    limit: int,
    until: int | None = None,
    topics: Sequence[str] | None = None,
    subject_id: UUID | None = None,
    stream_type: str | None = None,
) -> list[Recorded[Event]]:
    """At most `limit` events after a position, in commit order, without gaps; filters combine. Raises as `read_stream`."""
    rows = await log_rows(
        connection,
        after=after,
        until=until,
        limit=limit,
        topics=topics,
        subject_id=subject_id,
        stream_type=stream_type,
    )
    return await _decoded(connection, keys, rows)


async def head(connection: Reading) -> int:
    """The position of the last event; 0 for an empty log."""
    position: int = await connection.fetchval("SELECT coalesce(max(notification_id), 0) FROM stored_events")
    return position


async def _decoded(connection: Reading, keys: DataKeys, rows: Sequence[Any]) -> list[Recorded[Event]]:
    await keys.fetch(connection, {row["subject_id"] for row in rows if row["subject_id"]})
    return [recorded(row, keys) for row in rows]
