"""Wraps every key anew under the current master key, without touching an event: what the keys sealed stays as it is.

Safe to interrupt and to repeat: each page is a transaction, and only keys under another master key are looked at. A key
that is forgotten meanwhile stays forgotten.
"""

from collections.abc import AsyncGenerator
from typing import Any, Final

import asyncpg
from msgspec import Struct

from events.keys import MasterKey

__all__ = ["keys_to_rotate", "rotate_keys"]

PAGE: Final = 1000


class _Kept(Struct, frozen=True):
    """A table of wrapped keys: its primary key with that column's type, and the column of the id that a key is bound to."""

    table: str
    primary: str
    primary_type: str
    bound_to: str


_TABLES: Final = (
    _Kept("data_keys", "subject_id", "uuid", "key_id"),
    _Kept("client_keys", "month", "text", "key_id"),
    _Kept("signing_keys", "key_id", "text", "wrap_id"),
)


async def keys_to_rotate(connection: asyncpg.Connection, master: MasterKey) -> int:
    """How many keys are wrapped under another master key than the current one."""
    total = 0
    for kept in _TABLES:
        total += await connection.fetchval(
            f"SELECT count(*) FROM {kept.table} WHERE master_id <> $1 AND wrapped IS NOT NULL",  # noqa: S608 - ours
            master.master_id,
        )
    return total


async def rotate_keys(connection: asyncpg.Connection, master: MasterKey) -> AsyncGenerator[int, None]:
    """Wrap page after page anew, as the owner; yields how many keys each page had.

    Raises `InvalidTag` when a key was wrapped under none of the keyring's master keys; what was done until then stays.
    """
    for kept in _TABLES:
        after = None
        while page := await _page(connection, kept, master.master_id, after):
            wrapped = [_rewrapped(row, master) for row in page]
            await connection.execute(
                f"UPDATE {kept.table} AS kept SET master_id = $1, wrapped = anew.wrapped "  # noqa: S608 - ours
                f"FROM unnest($2::{kept.primary_type}[], $3::text[], $4::bytea[]) AS anew (id, old, wrapped) "
                f"WHERE kept.{kept.primary} = anew.id AND kept.master_id = anew.old AND kept.wrapped IS NOT NULL",
                master.master_id,
                [row["id"] for row in page],
                [row["master_id"] for row in page],
                wrapped,
            )
            after = page[-1]["id"]
            yield len(page)


async def _page(connection: asyncpg.Connection, kept: _Kept, current: str, after: Any) -> list[Any]:
    rows: list[Any] = await connection.fetch(
        f"SELECT {kept.primary} AS id, {kept.bound_to} AS bound_to, master_id, wrapped FROM {kept.table} "  # noqa: S608
        f"WHERE master_id <> $1 AND wrapped IS NOT NULL AND ($2::{kept.primary_type} IS NULL OR {kept.primary} > $2) "
        f"ORDER BY {kept.primary} LIMIT {PAGE}",
        current,
        after,
    )
    return rows


def _rewrapped(row: Any, master: MasterKey) -> bytes:
    return master.wrap(master.unwrap(row["wrapped"], row["bound_to"]), row["bound_to"])
