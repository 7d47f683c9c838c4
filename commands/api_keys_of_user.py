"""The API keys of a user, as the log has them: nothing is newer."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands import user as users
from commands.api_key import fold
from commands.api_keys import KIND, prefix_of
from commands.errors import NoSuchUser
from events.api_key import STREAM_TYPE as KEY_STREAM
from events.connections import Reading
from events.data_keys import DataKeys
from events.store import head, read_streams
from events.user import STREAM_TYPE

__all__ = ["ACTIVE", "EXPIRED", "MOST_ENDED", "REVOKED", "KnownApiKey", "api_keys_of_user"]

MOST_ENDED: Final = 100
"""So many of the newest are told of, whether they live or not, beside all others that do."""

ACTIVE: Final = "active"
EXPIRED: Final = "expired"
REVOKED: Final = "revoked"

_KEYS: Final = (
    "SELECT owner_id FROM secrets WHERE subject_id = $1 AND kind = $2 UNION "
    "(SELECT originator_id FROM stored_events WHERE subject_id = $1 AND stream_type = 'api_key' AND originator_version = 1 "
    "ORDER BY notification_id DESC LIMIT $3)"
)


class KnownApiKey(Struct, frozen=True):
    """What is known of a key: everything but the key. `last_used_on` is a day (UTC)."""

    id: UUID
    prefix: str
    name: str
    scopes: tuple[str, ...]
    status: str
    created_at: datetime
    expires_at: datetime
    last_used_on: date | None


async def api_keys_of_user(
    pool: Reading, keys: DataKeys, user_id: UUID, now: datetime, *, only: UUID | None = None
) -> tuple[int, list[KnownApiKey]]:
    """The position of the log's end, and their keys as of then at least, the newest first, or `only` one.

    Raises `NoSuchUser` for who never was or is forgotten.
    """
    position = await head(pool)
    ids = [only] if only else [row[0] for row in await pool.fetch(_KEYS, user_id, KIND, MOST_ENDED)]
    histories = await read_streams(pool, keys, [user_id, *ids])
    folded = {}
    for stream_id, history in histories.items():
        if isinstance(history, Exception):
            raise history
        folded[stream_id] = history
    user = users.fold(event for event in folded[user_id] if event.stream_type == STREAM_TYPE)
    if not user.active:
        raise NoSuchUser
    found = []
    for key_id in sorted(ids, reverse=True):  # UUIDv7, RFC 9562: the newest are the greatest
        key = fold(event for event in folded[key_id] if event.stream_type == KEY_STREAM)
        if key.user_id != user_id or key.issued_at is None or key.expires_at is None or not isinstance(key.name, str):
            continue
        status = REVOKED if key.ended(user) else EXPIRED if key.expired(now) else ACTIVE
        scopes = tuple(sorted(key.scopes))
        found.append(
            KnownApiKey(key_id, prefix_of(key_id), key.name, scopes, status, key.issued_at, key.expires_at, key.used_on)
        )
    return position, found
