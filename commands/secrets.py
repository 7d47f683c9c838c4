"""Secrets that are kept beside the log, sealed: password hashes, refresh-token families."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from msgspec import Struct

from events.codec import SealBroken
from events.connections import Reading
from events.data_keys import DataKeys
from events.keys import DataKey

__all__ = ["PASSWORD", "Secret", "open_secret", "opened", "password_hashes"]

PASSWORD = "password"  # noqa: S105 - the kind of a secret, not one


class Secret(Struct, frozen=True):
    """A secret as it was read, and its revision: 1 for the first, one more each time it is replaced."""

    owner_id: UUID
    kind: str
    subject_id: UUID
    revision: int
    plain: bytes

    @staticmethod
    def place(owner_id: UUID, kind: str, revision: int) -> bytes:
        """The associated data of its seal, so that an older one, or another's, cannot be put in its place."""
        return owner_id.bytes + revision.to_bytes(8, "big") + b"secret " + kind.encode()


def opened(row: Any, keys: DataKeys) -> Secret | SealBroken | None:
    """A secret from its row; the subject's key must have been fetched, and no key is no secret any more."""
    key = keys.fetched(row["subject_id"])
    if key is None:
        return None
    try:
        plain = open_secret(key, row["owner_id"], row["kind"], row["revision"], row["sealed"])
    except SealBroken as broken:
        return broken
    return Secret(row["owner_id"], row["kind"], row["subject_id"], row["revision"], plain)


def open_secret(key: DataKey, owner_id: UUID, kind: str, revision: int, sealed: bytes) -> bytes:
    """What was sealed under its subject's key. Raises `SealBroken`."""
    try:
        return key.open(sealed, Secret.place(owner_id, kind, revision))
    except InvalidTag:
        msg = f"The secret {kind!r} of {owner_id} does not open: it was altered."
        raise SealBroken(msg) from None


async def password_hashes(reading: Reading, keys: DataKeys, users: Sequence[UUID]) -> dict[UUID, str]:
    """The hashes of those of some users who have a password. Needs the writer's rights. Raises `SealBroken`."""
    rows = await reading.fetch(
        "SELECT owner_id, kind, subject_id, revision, sealed FROM secrets WHERE kind = $1 AND owner_id = ANY($2)",
        PASSWORD,
        list(users),
    )
    await keys.fetch(reading, {row["subject_id"] for row in rows})
    found = {}
    for row in rows:
        secret = opened(row, keys)
        if isinstance(secret, SealBroken):
            raise secret
        if secret is not None:
            found[secret.owner_id] = secret.plain.decode()
    return found
