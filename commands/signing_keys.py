"""The keys that sign access tokens: made by the migration, kept wrapped under the master key, told to everyone in public."""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from events.connections import Reading
from events.keys import MasterKey

__all__ = ["ALGORITHM", "VERIFIES_FOR", "SigningKey", "ensure_signing_key", "jwks", "read_signing_keys"]

ALGORITHM: Final = "EdDSA"
VERIFIES_FOR: Final = timedelta(minutes=15)
"""How long a key that is retired still verifies: longer than any token lives that it has signed."""

_LOCK: Final = 0x7369676E


class SigningKey(Struct, frozen=True):
    """An Ed25519 key pair; `private` is None where it verifies only: it was retired, or is wrapped under another master key."""

    key_id: str
    public: Ed25519PublicKey
    private: Ed25519PrivateKey | None


async def ensure_signing_key(connection: Any, master: MasterKey) -> bool:
    """Make a key unless there is one that signs; whether it was made. Safe to repeat and to run twice at once.

    The connection is the owner's: nobody else may write the table.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval(
            "SELECT true FROM signing_keys WHERE retired_at IS NULL AND master_id = $1 LIMIT 1", master.master_id
        ):
            return False
        private, wrap_id = Ed25519PrivateKey.generate(), uuid4()
        public = private.public_key()
        await connection.execute(
            "INSERT INTO signing_keys (key_id, algorithm, public_key, master_id, wrap_id, wrapped) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            _thumbprint(public),
            ALGORITHM,
            _raw(public),
            master.master_id,
            wrap_id,
            master.wrap(private.private_bytes_raw(), wrap_id),
        )
        return True


async def read_signing_keys(connection: Reading, master: MasterKey, now: datetime) -> list[SigningKey]:
    """The keys whose tokens may still be alive, the newest last."""
    rows = await connection.fetch(
        "SELECT key_id, public_key, wrap_id, wrapped, retired_at FROM signing_keys "
        "WHERE algorithm = $1 AND (retired_at IS NULL OR retired_at > $2) ORDER BY made_at",
        ALGORITHM,
        now - VERIFIES_FOR,
    )
    return [
        SigningKey(
            row["key_id"],
            Ed25519PublicKey.from_public_bytes(row["public_key"]),
            None if row["retired_at"] else _unwrapped(row, master),
        )
        for row in rows
    ]


def _unwrapped(row: Any, master: MasterKey) -> Ed25519PrivateKey | None:
    try:
        return Ed25519PrivateKey.from_private_bytes(master.unwrap(row["wrapped"], row["wrap_id"]))
    except InvalidTag:
        return None


def jwks(keys: list[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """The public halves as a JSON Web Key Set (RFC 7517, RFC 8037)."""
    return {"keys": [_jwk(key.public) | {"kid": key.key_id, "use": "sig", "alg": ALGORITHM} for key in keys]}


def _raw(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(_raw(public))}


def _thumbprint(public: Ed25519PublicKey) -> str:
    """RFC 7638: a key is called by what it is."""
    return _base64url(hashlib.sha256(msgspec.json.encode(_jwk(public))).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
