"""The keys that sign access tokens, as those who sign, verify or publish them see them.

They are kept wrapped under the master key; `commands.signing_key_rotation` makes, retires and revokes them.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from events.connections import Reading
from events.keys import MasterKey

__all__ = ["ALGORITHM", "SIGNING_KEYS_CHANNEL", "VERIFIES_FOR", "SigningKey", "jwks", "read_signing_keys", "thumbprint"]

ALGORITHM: Final = "EdDSA"
VERIFIES_FOR: Final = timedelta(minutes=15)
"""How long a key that is retired still verifies: longer than any token lives that it has signed."""

SIGNING_KEYS_CHANNEL: Final = "signing_keys"
"""Where every change of the keys is announced."""


class SigningKey(Struct, frozen=True):
    """An Ed25519 key pair; `private` is None where it verifies only.

    That is so before it signs, after it was retired, and where it is wrapped under another master key.
    """

    key_id: str
    public: Ed25519PublicKey
    private: Ed25519PrivateKey | None


async def read_signing_keys(connection: Reading, master: MasterKey, now: datetime) -> list[SigningKey]:
    """The keys whose tokens may be alive, and those that will sign; the one that began to sign last is the last."""
    rows = await connection.fetch(
        "SELECT key_id, public_key, wrap_id, wrapped, signs_from, retired_at FROM signing_keys "
        "WHERE algorithm = $1 AND revoked_at IS NULL AND (retired_at IS NULL OR retired_at > $2) "
        "ORDER BY signs_from NULLS FIRST, made_at",
        ALGORITHM,
        now - VERIFIES_FOR,
    )
    return [
        SigningKey(
            row["key_id"],
            Ed25519PublicKey.from_public_bytes(row["public_key"]),
            _unwrapped(row, master) if row["signs_from"] and not row["retired_at"] else None,
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


def thumbprint(public: Ed25519PublicKey) -> str:
    """RFC 7638: a key is called by what it is."""
    return _base64url(hashlib.sha256(msgspec.json.encode(_jwk(public))).digest())


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
