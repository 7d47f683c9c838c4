"""What is kept of a user's passkeys: the public halves of their keys, in one sealed secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from commands.errors import NoSuchUser
from commands.secrets import open_secret
from events.connections import Reading
from events.data_keys import DataKeys
from events.store import head

__all__ = ["KIND", "MOST", "Passkey", "Passkeys", "passkeys_of", "transports_of"]

KIND: Final = "passkeys"
MOST: Final = 20
LONGEST_WORD: Final = 32


class Passkey(Struct, frozen=True):
    """A passkey; `sign_count` is how often it has signed, as it says of itself: 0 for those that do not count."""

    id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    label: str
    added_at: datetime
    last_used_at: datetime | None = None
    transports: tuple[str, ...] = ()

    def used(self, sign_count: int, now: datetime) -> "Passkey | None":
        """The passkey once it has signed; None when its count went back, which that of a copy does (WebAuthn, 6.1.1)."""
        if (sign_count or self.sign_count) and sign_count <= self.sign_count:
            return None
        return replace(self, sign_count=sign_count, last_used_at=now)


class Passkeys(Struct, frozen=True):
    """All that a user has, in the order in which they were added."""

    items: tuple[Passkey, ...] = ()

    def of(self, credential_id: bytes) -> Passkey | None:
        """The one of which this is the credential's id."""
        return next((one for one in self.items if one.credential_id == credential_id), None)

    def having(self, passkey: Passkey) -> "Passkeys":
        """With this one in the place of what was there of it, or added."""
        others = [one for one in self.items if one.id != passkey.id]
        return Passkeys(tuple(sorted([*others, passkey], key=lambda one: one.added_at)))

    def without(self, passkey_id: UUID) -> "Passkeys":
        """Those that are left."""
        return Passkeys(tuple(one for one in self.items if one.id != passkey_id))

    def to_bytes(self) -> bytes:
        """What is sealed and kept."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Passkeys":
        """What `to_bytes` gave."""
        return msgspec.msgpack.decode(raw, type=cls)


def transports_of(credential: Mapping[str, Any]) -> tuple[str, ...]:
    """How the browser says that the passkey is reached: a hint for the next time, in words of its own."""
    return tuple(word for word in credential["response"].get("transports", ()) if len(word) <= LONGEST_WORD)


async def passkeys_of(pool: Reading, keys: DataKeys, user_id: UUID) -> tuple[int, Passkeys]:
    """The position of the log's end, and those that a user has as of then at least.

    Raises `NoSuchUser` for who never was or is forgotten, `SealBroken` when what is kept was altered.
    """
    position = await head(pool)
    row = await pool.fetchrow("SELECT revision, sealed FROM secrets WHERE owner_id = $1 AND kind = $2", user_id, KIND)
    key = await keys.key_of(pool, user_id)
    if key is None:
        raise NoSuchUser
    if row is None:
        return position, Passkeys()
    return position, Passkeys.from_bytes(open_secret(key, user_id, KIND, row["revision"], row["sealed"]))
