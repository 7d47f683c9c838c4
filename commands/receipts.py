"""Receipts: a request that is sent again with the same Idempotency-Key gets the first accepted answer.

A receipt is written in the command's own transaction, so that there is one exactly when the command was recorded. It
lies under an HMAC of who asks and the key that they chose, and is sealed under another: whoever reads the table alone
learns neither. Refusals are not kept; they are decided anew.
"""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final, get_type_hints
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from commands.errors import Refused
from events.append import NewReceipt
from events.connections import Reading

__all__ = [
    "KEPT_SECONDS",
    "IdempotencyKeyReused",
    "IdempotentRequest",
    "InFlight",
    "Receipt",
    "RequestInProgress",
    "decoy",
    "idempotent_request",
]

KEPT_SECONDS: Final = 24 * 3600
WAIT_SECONDS: Final = 5.0
_NONCE_BYTES: Final = 12


class IdempotencyKeyReused(Refused):
    """The Idempotency-Key was used for another request; choose a new key for each thing that is asked for."""


class RequestInProgress(Refused):
    """A request with this Idempotency-Key is still being answered; send it again in a moment."""


class Receipt(Struct, frozen=True):
    """What became of the command: enough to answer again."""

    result: msgspec.Raw
    command_id: UUID
    asked_at: datetime
    stream_id: UUID | None
    version: int


class IdempotentRequest(Struct, frozen=True):
    """What a request with an Idempotency-Key is known by: where its receipt lies, what it asks, and what opens it."""

    key: bytes
    fingerprint: bytes
    seal: bytes

    def receipt(self, receipt: Receipt, subject_id: UUID | None) -> NewReceipt:
        """The receipt as it is kept."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(self.seal).encrypt(nonce, msgspec.msgpack.encode(receipt), self.key)
        return NewReceipt(self.key, self.fingerprint, sealed, subject_id, KEPT_SECONDS)

    async def find(self, pool: Reading) -> tuple[Receipt, int] | None:
        """The receipt that is kept, and the position of its command. Raises `IdempotencyKeyReused` for another request."""
        row = await pool.fetchrow(
            "SELECT fingerprint, sealed, position FROM receipts WHERE key = $1 AND expires_at > clock_timestamp()",
            self.key,
        )
        if row is None:
            return None
        if not hmac.compare_digest(row["fingerprint"], self.fingerprint):
            raise IdempotencyKeyReused
        sealed = row["sealed"]
        plain = AESGCM(self.seal).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self.key)
        return msgspec.msgpack.decode(plain, type=Receipt), row["position"]


def idempotent_request(
    secret: bytes, caller: UUID | None, route: str, chosen: str, request: bytes
) -> IdempotentRequest:
    """A request with its key: `chosen` is the client's key, `request` everything that makes it the same request.

    Keys belong to whoever chose them. Those of people who are not signed in belong to the route and are useless without
    the same request: another request with the same key has another receipt, and learns nothing.
    """

    def keyed(purpose: bytes, *parts: bytes) -> bytes:
        return hmac.digest(
            secret, b"\0".join((purpose, *(hmac.digest(secret, part, "sha256") for part in parts))), "sha256"
        )

    scope = (caller.bytes,) if caller is not None else (route.encode(), request)
    return IdempotentRequest(
        keyed(b"receipt", *scope, chosen.encode()),
        keyed(b"fingerprint", route.encode(), request),
        keyed(b"seal", *scope, chosen.encode()),
    )


def decoy() -> NewReceipt:
    """A receipt of nothing, which takes as long to write as what would have been recorded, and is swept out with the others."""
    return NewReceipt(os.urandom(32), b"", b"", None, 0)


def encoded(result: Any) -> msgspec.Raw:
    """A command's result as a receipt keeps it."""
    return msgspec.Raw(msgspec.msgpack.encode(result))


def decoded(command: Any, result: msgspec.Raw) -> Any:
    """The result of a command of this class."""
    return msgspec.msgpack.decode(result, type=_result_type(type(command)))  # type: ignore[arg-type] # classes are hashable


@cache
def _result_type(command: type[Any]) -> Any:
    return get_type_hints(command.perform)["return"]


class InFlight:
    """Requests of this process that are being answered: the same one waits for the first, for some seconds."""

    def __init__(self) -> None:
        self._locks: dict[bytes, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, key: bytes) -> AsyncIterator[None]:
        """Be the only one with this key. Raises `RequestInProgress` when another one takes too long."""
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, waiting + 1
        try:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await lock.acquire()
            except TimeoutError:
                raise RequestInProgress from None
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, waiting = self._locks.pop(key)
            if waiting > 1:
                self._locks[key] = lock, waiting - 1
