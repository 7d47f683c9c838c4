"""Making the keys that sign access tokens, and putting a new one in place of the one that signs.

A key is announced, signs, is retired, and is forgotten by all when its last token has expired. One that is retired loses
its private half in the same transaction: nobody can sign with it any more, whatever an API process remembers. Each change
is announced to the API processes when it is committed. The connection is the owner's: nobody else may write the table.
"""

from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from commands.signing_keys import ALGORITHM, SIGNING_KEYS_CHANNEL, VERIFIES_FOR, thumbprint
from events.keys import MasterKey

__all__ = [
    "NotUnderMasterKey",
    "Retired",
    "Rotated",
    "announce_signing_key",
    "ensure_signing_key",
    "rotate_signing_key",
]

_LOCK: Final = 0x7369676E


class NotUnderMasterKey(Exception):
    """The key that signs now is wrapped under another master key than the one given: API processes could not read a new one."""


class Retired(Struct, frozen=True):
    """A key that signs no longer, and from when on it verifies nothing either."""

    key_id: str
    verifies_until: datetime


class Rotated(Struct, frozen=True):
    """The key that signs, since when, and those that did before and may still be met."""

    key_id: str
    signs_from: datetime
    retired: list[Retired]
    revoked: list[str]


async def ensure_signing_key(connection: Any, master: MasterKey) -> bool:
    """Make a key unless there is one that signs; whether it was made. Safe to repeat and to run twice at once."""
    async with connection.transaction():
        await _alone(connection)
        if await connection.fetchval(
            "SELECT true FROM signing_keys WHERE signs_from IS NOT NULL AND retired_at IS NULL AND master_id = $1 LIMIT 1",
            master.master_id,
        ):
            return False
        await _sign_with(connection, await _made(connection, master))
        return True


async def announce_signing_key(connection: Any, master: MasterKey) -> str:
    """Publish a key that does not sign yet, for `rotate_signing_key` to take; the id of the one that is there, or is made.

    Raises `NotUnderMasterKey`.
    """
    async with connection.transaction():
        await _alone(connection)
        await _check_master(connection, master)
        key_id = await _announced(connection, master) or await _made(connection, master)
        await _tell_processes(connection)
        return key_id


async def rotate_signing_key(
    connection: Any, master: MasterKey, *, asked_at: datetime, revoke: bool = False
) -> Rotated:
    """Sign with a new key, and no longer with any other; with `revoke`, the others verify nothing any more either.

    The new key is one that was announced, unless what was there before is not to be trusted (`revoke`). Safe to repeat
    and to run twice at once: whoever finds that it was done after `asked_at`, a time of the database's clock, lets that
    stand. Raises `NotUnderMasterKey`.
    """
    async with connection.transaction():
        await _alone(connection)
        await _check_master(connection, master)
        key_id = await _done_since(connection, master, asked_at, revoke=revoke)
        if key_id is None and not revoke:
            key_id = await _announced(connection, master)
        if key_id is None:
            key_id = await _made(connection, master)
        await _sign_with(connection, key_id)
        await connection.execute(
            "UPDATE signing_keys SET retired_at = clock_timestamp(), wrapped = NULL "
            "WHERE key_id <> $1 AND retired_at IS NULL AND (signs_from IS NOT NULL OR $2)",
            key_id,
            revoke,
        )
        if revoke:
            await connection.execute(
                "UPDATE signing_keys SET revoked_at = clock_timestamp() WHERE key_id <> $1 AND revoked_at IS NULL",
                key_id,
            )
        return await _rotated(connection, key_id)


async def _alone(connection: Any) -> None:
    """Change keys one after the other: nobody else does until the end of this transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def _check_master(connection: Any, master: MasterKey) -> None:
    signing = await connection.fetchval(
        "SELECT master_id FROM signing_keys WHERE retired_at IS NULL AND signs_from IS NOT NULL "
        "ORDER BY signs_from DESC LIMIT 1"
    )
    if signing not in (None, master.master_id):
        raise NotUnderMasterKey


async def _done_since(connection: Any, master: MasterKey, asked_at: datetime, *, revoke: bool) -> str | None:
    """The key that someone else has just made sign; one that is made since, where older ones are not to be trusted."""
    key_id: str | None = await connection.fetchval(
        "SELECT key_id FROM signing_keys WHERE retired_at IS NULL AND master_id = $1 "
        "AND CASE WHEN $3 THEN made_at ELSE signs_from END > $2 ORDER BY signs_from DESC LIMIT 1",
        master.master_id,
        asked_at,
        revoke,
    )
    return key_id


async def _announced(connection: Any, master: MasterKey) -> str | None:
    key_id: str | None = await connection.fetchval(
        "SELECT key_id FROM signing_keys WHERE signs_from IS NULL AND retired_at IS NULL AND master_id = $1 "
        "ORDER BY made_at DESC LIMIT 1",
        master.master_id,
    )
    return key_id


async def _made(connection: Any, master: MasterKey) -> str:
    private, wrap_id = Ed25519PrivateKey.generate(), uuid4()
    public = private.public_key()
    key_id = thumbprint(public)
    await connection.execute(
        "INSERT INTO signing_keys (key_id, algorithm, public_key, master_id, wrap_id, wrapped) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        key_id,
        ALGORITHM,
        public.public_bytes_raw(),
        master.master_id,
        wrap_id,
        master.wrap(private.private_bytes_raw(), wrap_id),
    )
    return key_id


async def _sign_with(connection: Any, key_id: str) -> None:
    await connection.execute(
        "UPDATE signing_keys SET signs_from = clock_timestamp() WHERE key_id = $1 AND signs_from IS NULL", key_id
    )
    await _tell_processes(connection)


async def _tell_processes(connection: Any) -> None:
    await connection.execute("SELECT pg_notify($1, '')", SIGNING_KEYS_CHANNEL)


async def _rotated(connection: Any, key_id: str) -> Rotated:
    rows = await connection.fetch(
        "SELECT key_id, signs_from, retired_at, revoked_at, retired_at > clock_timestamp() - $1::interval AS recent "
        "FROM signing_keys ORDER BY made_at",
        VERIFIES_FOR,
    )
    return Rotated(
        key_id,
        next(row["signs_from"] for row in rows if row["key_id"] == key_id),
        [
            Retired(row["key_id"], row["retired_at"] + VERIFIES_FOR)
            for row in rows
            if row["recent"] and row["revoked_at"] is None
        ],
        [row["key_id"] for row in rows if row["recent"] and row["revoked_at"]],
    )
