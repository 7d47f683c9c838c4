"""A backup of the keys: apart from the log's, as lines of JSON, so that it can be kept for a shorter time than that.

Keys are wrapped under the master key, which is in no backup of ours. Without its keys a backup of the log tells nothing
personal; with a newer backup of them, whoever was erased meanwhile stays so.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from events.epochs import current_epoch
from events.store import head

__all__ = ["APART", "ClientKeyLine", "DataKeyLine", "Header", "KeyBackupBroken", "Line", "keys_of", "lines_of"]

APART: Final = ("data_keys", "client_keys", "signing_keys", "epochs")
"""The tables that a backup of the log leaves empty. Keys that sign access tokens are in no backup: new ones are made."""
AT_ONCE: Final = 5000


class KeyBackupBroken(ValueError):
    """This is no backup of keys, or not a whole one."""


class Header(Struct, frozen=True, tag="muster-keys", tag_field="kind"):
    """The first line: when it was made, of which epoch, and where the log ended then."""

    made_at: datetime
    epoch: int
    position: int


class DataKeyLine(Struct, frozen=True, tag="data", tag_field="kind"):
    """A person's key, wrapped; `wrapped` is null for one that was destroyed."""

    subject_id: UUID
    key_id: UUID
    master_id: str
    wrapped: bytes | None
    forgotten_at: datetime | None


class ClientKeyLine(Struct, frozen=True, tag="client", tag_field="kind"):
    """The key of a month, wrapped; `wrapped` is null for one whose time is over."""

    month: str
    key_id: UUID
    master_id: str
    wrapped: bytes | None


class Footer(Struct, frozen=True, tag="end", tag_field="kind"):
    """The last line: how many keys there were, so that a backup that was cut off is no smaller backup."""

    keys: int


Line: TypeAlias = DataKeyLine | ClientKeyLine
_KINDS: Final[tuple[tuple[str, Any], ...]] = (("data_keys", DataKeyLine), ("client_keys", ClientKeyLine))
_decoder: Final = msgspec.json.Decoder(Header | Line | Footer)
_encoder: Final = msgspec.json.Encoder()


async def lines_of(connection: asyncpg.Connection) -> AsyncIterator[bytes]:
    """The backup, line by line, of one moment; as the owner."""
    keys = 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        epoch = await current_epoch(connection)
        made_at = await connection.fetchval("SELECT clock_timestamp()")
        yield _encoder.encode(Header(made_at, epoch.number, await head(connection))) + b"\n"
        for table, kind in _KINDS:
            columns = ", ".join(kind.__struct_fields__)
            rows = await connection.cursor(f"SELECT {columns} FROM {table} ORDER BY 1")  # noqa: S608 - names of ours
            while page := await rows.fetch(AT_ONCE):
                keys += len(page)
                yield b"".join(_encoder.encode(kind(*row)) + b"\n" for row in page)
        yield _encoder.encode(Footer(keys)) + b"\n"


def keys_of(lines: Iterable[bytes]) -> tuple[Header, Iterator[Line]]:
    """What a backup holds. Raises `KeyBackupBroken`, at its end too, when it is not whole."""
    decoded = _decoded(lines)
    header = next(decoded, None)
    if not isinstance(header, Header):
        raise KeyBackupBroken(KeyBackupBroken.__doc__)
    return header, _keys(decoded)


def _decoded(lines: Iterable[bytes]) -> Iterator[Header | Line | Footer]:
    for number, line in enumerate(lines, start=1):
        try:
            yield _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise KeyBackupBroken(f"Line {number} is not of a backup of keys.") from None


def _keys(decoded: Iterator[Header | Line | Footer]) -> Iterator[Line]:
    count = 0
    for line in decoded:
        match line:
            case Footer(keys=keys) if keys == count and next(decoded, None) is None:
                return
            case DataKeyLine() | ClientKeyLine():
                count += 1
                yield line
            case _:
                raise KeyBackupBroken("The backup of the keys does not have as many as it says.")
    raise KeyBackupBroken("The backup of the keys is cut off: its last line is missing.")
