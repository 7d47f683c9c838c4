"""Questions about what happened, answered from the log itself: nothing is newer, and nothing can be behind."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from events.codec import SealBroken, open_note, read_metadata
from events.connections import Reading
from events.data_keys import DataKeys
from events.event import Actor, Event, Metadata, Recorded, UnknownEvent
from events.personal import Forgotten
from events.rows import log_rows
from events.store import head, recorded
from projections.topics import known_topics

__all__ = ["MOST_EVENTS", "EventPage", "EventView", "history", "history_of_user", "shown"]

MOST_EVENTS: Final = 200


class EventView(Struct, frozen=True):
    """An event with its envelope, as the API shows it; what is personal and was forgotten reads `{"forgotten": true}`.

    `data` has `unreadable`, with the reason, beside its clear fields where this version cannot read the event.
    """

    position: int
    stream: UUID
    stream_type: str
    version: int
    type: str
    subject: UUID | None
    data: dict[str, Any]
    recorded_at: datetime
    actor: Actor | None
    command: str | None
    correlation_id: UUID | None
    causation: int | None
    reason: str | Forgotten | None


class EventPage(Struct, frozen=True):
    """Events in the order in which they happened; `next` is the position to go on after, None at the end for now.

    `position` is that of the log's end when it was asked: everything up to it is reflected.
    """

    items: list[EventView]
    next: int | None
    position: int


async def history_of_user(
    pool: Reading, keys: DataKeys, user_id: UUID, *, after: int = 0, limit: int = 50
) -> EventPage:
    """Everything that happened about a user, in whatever stream; nothing for who never was."""
    return await _events(pool, keys, after=after, limit=limit, subject_id=user_id)


async def history(
    pool: Reading, keys: DataKeys, *, after: int = 0, limit: int = 50, types: Sequence[str] | None = None
) -> EventPage:
    """Everything that happened, or what is of these types."""
    return await _events(pool, keys, after=after, limit=limit, topics=types)


async def _events(pool: Reading, keys: DataKeys, *, after: int, limit: int, **filters: Any) -> EventPage:
    known_topics()  # has all classes of events at hand
    limit = max(1, min(limit, MOST_EVENTS))
    position = await head(pool)
    rows = await log_rows(pool, after=after, until=position, limit=limit + 1, **filters)
    await keys.fetch(pool, {row["subject_id"] or row["originator_id"] for row in rows})
    items = [_shown_row(row, keys) for row in rows[:limit]]
    return EventPage(items, items[-1].position if len(rows) > limit else None, position)


def _shown_row(row: Any, keys: DataKeys) -> EventView:
    try:
        return shown(recorded(row, keys), keys)
    except (UnknownEvent, SealBroken, msgspec.MsgspecError) as error:
        return _unreadable(row, error)


def shown(recorded: Recorded[Event], keys: DataKeys) -> EventView:
    """An event as the API shows it. Raises `SealBroken`.

    Its subject's key must have been fetched or, where it is about nobody, that of its stream, which seals the reason.
    """
    metadata = read_metadata(recorded.metadata) if recorded.metadata else None
    key = keys.fetched(recorded.subject_id or recorded.stream_id)
    return EventView(
        position=recorded.position,
        stream=recorded.stream_id,
        stream_type=recorded.stream_type,
        version=recorded.version,
        type=type(recorded.event).__name__,
        subject=recorded.subject_id,
        data=msgspec.to_builtins(recorded.event, builtin_types=(UUID, datetime)),
        recorded_at=recorded.recorded_at,
        reason=open_note(metadata.sealed, "reason", recorded, key) if metadata else None,
        **_told(metadata),
    )


def _told(metadata: Metadata | None) -> dict[str, Any]:
    if metadata is None:
        return dict.fromkeys(("actor", "command", "correlation_id", "causation"))
    return {
        "actor": metadata.actor,
        "command": metadata.command,
        "correlation_id": metadata.correlation_id,
        "causation": metadata.causation,
    }


def _unreadable(row: Any, error: Exception) -> EventView:
    """The envelope, and what stands in clear: an auditor's page must not end where it gets interesting."""
    data: dict[str, Any] = {}
    with contextlib.suppress(msgspec.MsgspecError):
        data = msgspec.json.decode(row["state"] or b"{}", type=dict[str, Any])
    data.pop("sealed", None)
    metadata = None
    with contextlib.suppress(msgspec.MsgspecError):
        metadata = read_metadata(row["metadata"]) if row["metadata"] else None
    why = str(error) if isinstance(error, UnknownEvent | SealBroken) else "Its shape is not that of its type."
    return EventView(
        position=row["notification_id"],
        stream=row["originator_id"],
        stream_type=row["stream_type"],
        version=row["originator_version"],
        type=row["topic"] or "",
        subject=row["subject_id"],
        data={**data, "unreadable": why},
        recorded_at=row["recorded_at"],
        reason=None,
        **_told(metadata),
    )
