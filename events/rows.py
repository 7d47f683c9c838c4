"""Reads streams and the log as they are stored; one statement for each combination of filters, so that each has its plan."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from events.connections import Reading

__all__ = ["COLUMNS", "OF_A_STREAM", "OF_FACTS", "log_rows", "stream_rows", "streams_rows"]

COLUMNS: Final = (
    "originator_id, originator_version, topic, state, notification_id, stream_type, subject_id, recorded_at, metadata"
)

OF_FACTS: Final = COLUMNS.replace("metadata", "NULL::text AS metadata")
"""For read models and reactions, which look at no metadata either, though they read rows as everyone does."""

OF_A_STREAM: Final = "originator_version, topic, state, notification_id, stream_type, subject_id, recorded_at"
"""For decisions, which know the stream and never look at metadata: a third of a long stream's time is in that text."""


_STREAMS: Final = f"""
    SELECT asked.id, e.* FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, number) CROSS JOIN LATERAL (
        SELECT {OF_A_STREAM} FROM stored_events WHERE originator_id = asked.id ORDER BY originator_version OFFSET 0
    ) AS e ORDER BY asked.number, e.originator_version
"""  # noqa: S608 - made of constants


class _Question:
    """A statement over `stored_events` and its arguments, put together condition by condition."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self._arguments: list[Any] = []

    def where(self, condition: str, value: Any) -> None:
        """Add a condition with `?` where the value goes, unless the value is None."""
        if value is not None:
            self._conditions.append(condition.replace("?", self._argument(value)))

    def _argument(self, value: Any) -> str:
        self._arguments.append(value)
        return f"${len(self._arguments)}"

    async def rows(self, connection: Reading, order: str, limit: int | None, columns: str = COLUMNS) -> list[Any]:
        """The rows that satisfy all conditions."""
        where = f"WHERE {' AND '.join(self._conditions)}" if self._conditions else ""
        most = f"LIMIT {self._argument(limit)}" if limit is not None else ""
        statement = f"SELECT {columns} FROM stored_events {where} ORDER BY {order} {most}"  # noqa: S608 - of constants
        rows: list[Any] = await connection.fetch(statement, *self._arguments)
        return rows


async def stream_rows(
    connection: Reading,
    stream_id: UUID,
    *,
    after: int | None = None,
    until: int | None = None,
    descending: bool = False,
    limit: int | None = None,
    columns: str = COLUMNS,
) -> list[Any]:
    """Rows of `COLUMNS` of one stream, by version: those after a version, until one (included), at most so many."""
    question = _Question()
    question.where("originator_id = ?", stream_id)
    question.where("originator_version > ?", after)
    question.where("originator_version <= ?", until)
    return await question.rows(connection, "originator_version" + (" DESC" if descending else ""), limit, columns)


async def streams_rows(connection: Reading, stream_ids: Sequence[UUID]) -> list[Any]:
    """(stream, and `OF_A_STREAM`) of all events of some streams, by stream and version; each stream is looked up by itself."""
    rows: list[Any] = await connection.fetch(_STREAMS, list(stream_ids))
    return rows


async def log_rows(
    connection: Reading,
    *,
    after: int,
    limit: int,
    until: int | None = None,
    topics: Sequence[str] | None = None,
    subject_id: UUID | None = None,
    stream_type: str | None = None,
    columns: str = COLUMNS,
) -> list[Any]:
    """Rows of `COLUMNS` in commit order: those after a position, until one (included), of these types, at most `limit`.

    Positions have no gaps and are in commit order, so what comes after the last one seen is all that was not seen.
    """
    question = _Question()
    question.where("notification_id > ?", after)
    question.where("notification_id <= ?", until)
    question.where("topic = ANY(?)", list(topics) if topics else None)
    question.where("subject_id = ?", subject_id)
    question.where("stream_type = ?", stream_type)
    return await question.rows(connection, "notification_id", limit, columns)
