"""Everything that the log holds up to a position, event by event."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import msgspec

from events.codec import personal_fields
from events.data_keys import DataKeys
from events.event import event_classes
from events.rows import log_rows
from events.store import head
from projections.topics import known_topics
from queries.exports import LOG, ROWS_AT_ONCE, Export, Field, Kind, NotYet, Row
from queries.history import EventView, shown_row

__all__ = ["exported_log"]

_ENVELOPE: Final[dict[str, Kind]] = {
    "position": "bigint",
    "stream": "uuid",
    "stream_type": "text",
    "version": "bigint",
    "type": "text",
    "subject": "uuid",
    "data": "json",
    "recorded_at": "time",
    "actor": "json",
    "command": "text",
    "correlation_id": "uuid",
    "causation": "bigint",
    "reason": "json",
}
_json: Final = msgspec.json.Encoder()


@asynccontextmanager
async def exported_log(
    connection: asyncpg.Connection, keys: DataKeys, *, personal: bool, to: int | None = None
) -> AsyncIterator[Export]:
    """The log up to a position, or to its end, with the shape of events that the API has.

    What is personal is opened when it is asked for, and what was forgotten of it reads so; otherwise it is left out, reasons
    too, and no key is looked at. Raises `NotYet` for a position that is yet to come.
    """
    fields = tuple(Field(name, kind) for name, kind in _ENVELOPE.items() if personal or name != "reason")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        end = await head(connection)
        if to is not None and to > end:
            raise NotYet(LOG, to, end)
        until = end if to is None else to
        batches = _events(connection, keys, until, [field.name for field in fields], personal=personal)
        left_out = () if personal else ("personal fields of data", "reason")
        yield Export(LOG, fields, left_out, until, until, datetime.now(UTC), batches)


async def _events(
    connection: asyncpg.Connection, keys: DataKeys, until: int, names: Sequence[str], *, personal: bool
) -> AsyncIterator[Sequence[Row]]:
    known_topics()  # has all classes of events at hand
    hidden = {} if personal else {name: personal_fields(cls) for name, cls in event_classes().items()}
    position = 0
    while rows := await log_rows(connection, after=position, until=until, limit=ROWS_AT_ONCE):
        position = rows[-1]["notification_id"]
        if personal:
            await keys.fetch(connection, {row["subject_id"] for row in rows if row["subject_id"]})
        events = (shown_row(row, keys) for row in rows)
        yield [[_value(event, name, hidden.get(event.type, ())) for name in names] for event in events]


def _value(event: EventView, name: str, hidden: Sequence[str]) -> Any:
    value = getattr(event, name)
    if name == "data" and hidden:
        value = {name: value for name, value in event.data.items() if name not in hidden}
    return value if value is None or _ENVELOPE[name] != "json" else _json.encode(value).decode()
