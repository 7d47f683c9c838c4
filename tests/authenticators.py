"""A software authenticator with the browser around it: it makes passkeys and signs with them, honestly or as it is told."""

import base64
import hashlib
import json
import os
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

__all__ = ["Authenticator", "base64url"]

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
AAGUID = bytes(16)


def base64url(raw: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Held(Struct):
    """A key, and for whom it was made."""

    credential_id: bytes
    key: ec.EllipticCurvePrivateKey
    user_handle: bytes
    count: int


class Authenticator:
    """Holds P-256 keys, on pages of one origin. Its flags, origin and counts can be changed, to see what becomes of that."""

    def __init__(self, origin: str, *, counts: bool = True) -> None:
        self.origin = origin
        self.rp_id = origin.rpartition("/")[2].partition(":")[0]
        self.flags = PRESENT | VERIFIED
        self.counts = counts
        self.more: dict[str, Any] = {}
        self.held: list[Held] = []

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.create`, as `toJSON()` tells it."""
        assert options["rp"]["id"] == self.rp_id
        held = Held(
            os.urandom(16),
            ec.generate_private_key(ec.SECP256R1()),
            base64.urlsafe_b64decode(options["user"]["id"] + "=="),
            0,
        )
        self.held.append(held)
        data = self._data(held, ATTESTED) + AAGUID + len(held.credential_id).to_bytes(2, "big") + held.credential_id
        data += self._cose(held)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        public = held.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {
            "id": base64url(held.credential_id),
            "rawId": base64url(held.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": base64url(self._client_data("webauthn.create", options["challenge"])),
                "attestationObject": base64url(attestation),
                "authenticatorData": base64url(data),
                "transports": ["internal"],
                "publicKey": base64url(public),
                "publicKeyAlgorithm": -7,
            },
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        }

    def sign(self, challenge: str, held: Held | None = None) -> dict[str, Any]:
        """`navigator.credentials.get`, as `toJSON()` tells it."""
        held = held or self.held[-1]
        held.count += self.counts
        data, client_data = self._data(held), self._client_data("webauthn.get", challenge)
        signature = held.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return {
            "id": base64url(held.credential_id),
            "rawId": base64url(held.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": base64url(client_data),
                "authenticatorData": base64url(data),
                "signature": base64url(signature),
                "userHandle": base64url(held.user_handle),
            },
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        }

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **self.more}
        return json.dumps(said).encode()

    def _data(self, held: Held, flags: int = 0) -> bytes:
        """Authenticator data (section 6.1): for which domain, what was done to its user, and how often it has signed."""
        flags |= self.flags
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + held.count.to_bytes(4, "big")

    def _cose(self, held: Held) -> bytes:
        """The public key as COSE (RFC 9053) has it: ES256 on P-256."""
        numbers = held.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
