"""Data keys: one for each person, wrapped under a master key. Erasing a person is forgetting a key.

AES-256-GCM (NIST SP 800-38D) with random nonces of 96 bits throughout: one data key seals what is known about one
person, far below the 2^32 messages at which random nonces of one key become a risk.
"""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["DataKey", "Keyring", "LocalMasterKey", "MasterKey", "derived", "local_keyring"]

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32


class DataKey:
    """A key that seals what is known about one subject; `key_id` is random and says nothing about whose it is."""

    __slots__ = ("_cipher", "key_id")

    def __init__(self, key_id: UUID, key: bytes) -> None:
        self.key_id = key_id
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Nonce and box; `place` (associated data) must be given again to open it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, place)

    def open(self, box: bytes, place: bytes) -> bytes:
        """What was sealed at this place. Raises `InvalidTag` for any other."""
        return self._cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], place)


class MasterKey(Protocol):
    """What wraps data keys; small, so that a key management service can hold it."""

    master_id: str

    def wrap(self, key: bytes, key_id: UUID) -> bytes:
        """The data key's bytes, readable by the holder of the master key only, for this key id only."""
        ...

    def unwrap(self, wrapped: bytes, key_id: UUID) -> bytes:
        """What was wrapped. Raises `InvalidTag` when it was wrapped for another id or under another master key."""
        ...


class LocalMasterKey:
    """A master key held in this process's memory, from `MUSTER_MASTER_KEY`."""

    def __init__(self, key: bytes) -> None:
        self.master_id = hashlib.sha256(b"muster master key id" + key).hexdigest()[:16]
        self._cipher = AESGCM(key)

    def wrap(self, key: bytes, key_id: UUID) -> bytes:
        """Nonce and box of a data key, bound to its id."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, key_id.bytes)

    def unwrap(self, wrapped: bytes, key_id: UUID) -> bytes:
        """The data key that `wrap` was given."""
        return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.bytes)


class Keyring:
    """The master key that wraps, and earlier ones that are still needed to unwrap until everything is wrapped anew."""

    def __init__(self, current: MasterKey, *previous: MasterKey) -> None:
        self.master_id = current.master_id
        self._current = current
        self._all = (current, *previous)

    def wrap(self, key: bytes, key_id: UUID) -> bytes:
        """Wrapped under the current key."""
        return self._current.wrap(key, key_id)

    def unwrap(self, wrapped: bytes, key_id: UUID) -> bytes:
        """Unwrapped by whichever key wrapped it. Raises `InvalidTag` when it was none of these."""
        for master in self._all[:-1]:
            with contextlib.suppress(InvalidTag):
                return master.unwrap(wrapped, key_id)
        return self._all[-1].unwrap(wrapped, key_id)


def local_keyring(keys: Sequence[bytes]) -> Keyring:
    """A keyring of master keys that are held in this process's memory, the current one first."""
    current, *previous = map(LocalMasterKey, keys)
    return Keyring(current, *previous)


def derived(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose out of the one secret of a setting, by HKDF-SHA256 (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=b"muster " + purpose.encode()).derive(
        secret
    )
