"""How a batch of commands is told to the database, and how one is found again."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from events.append import Append, SecretChange
from events.errors import Conflict

__all__ = ["APPEND", "answers", "arguments", "recorded_position"]

_COLUMNS: Final = (
    "int[]", "uuid[]", "bigint[]",
    "int[]", "uuid[]", "uuid[]", "text[]", "bytea[]", "boolean[]",
    "int[]", "text[]", "bytea[]", "uuid[]", "uuid[]", "boolean[]",
    "int[]", "uuid[]", "text[]", "uuid[]", "bigint[]", "bytea[]",
    "int[]", "bytea[]", "bytea[]", "bytea[]", "uuid[]", "int[]", "int[]",
    "int[]", "uuid[]", "bigint[]", "text[]", "bytea[]", "text[]", "uuid[]", "text[]",
)  # fmt: skip
APPEND: Final = (
    "SELECT head, refused, reasons FROM append_events("  # noqa: S608 - made of the types above alone
    + ", ".join(f"${number}::{kind}" for number, kind in enumerate(_COLUMNS, start=1))
    + ")"
)


def arguments(batch: Sequence[Append]) -> list[Any]:
    """The arrays of `append_events`: one of each column for streams, keys, claims, secrets, receipts and events."""
    streams, keys, claims, secrets, receipts, events = [], [], [], [], [], []
    for number, append in enumerate(batch, start=1):
        streams += [(number, stream, version) for stream, version in append.expected.items()]
        keys += [(number, k.subject_id, k.key_id, k.master_id, k.wrapped, k.forgotten) for k in append.keys]
        claims += [(number, c.scope, c.key, c.expected, c.owner_id, c.proven) for c in append.claims]
        secrets += [(number, s.owner_id, s.kind, s.subject_id, s.revision, s.sealed) for s in append.secrets]
        events += [
            (number, e.stream_id, e.version, e.topic, e.state, e.stream_type, e.subject_id, e.metadata)
            for e in append.events
        ]
        if (r := append.receipt) is not None:
            last = len(events) if append.events else None
            receipts.append((number, r.key, r.fingerprint, r.sealed, r.subject_id, r.seconds, last))
    return [
        *_columns(streams, 3),
        *_columns(keys, 6),
        *_columns(claims, 6),
        *_columns(secrets, 6),
        *_columns(receipts, 7),
        *_columns(events, 8),
    ]


def _columns(rows: list[tuple[Any, ...]], width: int) -> list[Any]:
    return list(zip(*rows, strict=True)) if rows else [[]] * width


def answers(batch: Sequence[Append], head: int, refused: Sequence[int], reasons: Sequence[str]) -> list[int | Conflict]:
    """The position of each command's last event, `head` for one without events, or why it was refused."""
    conflicts = {number: Conflict(reason) for number, reason in zip(refused, reasons, strict=True)}
    found: list[int | Conflict] = []
    position = head
    for number, append in enumerate(batch, start=1):
        if (conflict := conflicts.get(number)) is not None:
            found.append(conflict)
            continue
        position += len(append.events)
        found.append(position if append.events else head)
    return found


async def recorded_position(connection: asyncpg.Connection, append: Append) -> int | None:
    """The position at which a command was recorded, or None when it was not. Ask only once its backend is fenced."""
    position: int | None
    if append.events:
        last = append.events[-1]
        position = await connection.fetchval(
            "SELECT notification_id FROM stored_events "
            "WHERE originator_id = $1 AND originator_version = $2 AND metadata->>'correlation_id' = $3",
            *(last.stream_id, last.version, str(append.command_id)),
        )
    elif (receipt := append.receipt) is not None:
        position = await connection.fetchval(
            "SELECT position FROM receipts WHERE key = $1 AND sealed = $2", receipt.key, receipt.sealed
        )
    elif await _all_kept(connection, append.secrets):
        position = await connection.fetchval("SELECT coalesce(max(notification_id), 0) FROM stored_events")
    else:
        position = None
    return position


async def _all_kept(connection: asyncpg.Connection, secrets: Sequence[SecretChange]) -> bool:
    """Whether all secrets are as these changes left them; sealing is never twice the same."""
    for change in secrets:
        kept = await connection.fetchval(
            "SELECT sealed FROM secrets WHERE owner_id = $1 AND kind = $2", change.owner_id, change.kind
        )
        if kept != change.sealed:
            return False
    return True
