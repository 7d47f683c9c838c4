"""The sessions of a user that live: what is kept of each, opened."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands.errors import NoSuchUser
from commands.refresh_tokens import KIND, Family
from commands.secrets import open_secret
from events.connections import Reading
from events.data_keys import DataKeys
from events.store import head

__all__ = ["LivingSession", "living_sessions"]


class LivingSession(Struct, frozen=True):
    """A session that can be refreshed until `expires_at`; `address` and `user_agent` are those of the client seen last."""

    id: UUID
    started_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


async def living_sessions(
    pool: Reading, keys: DataKeys, user_id: UUID, now: datetime
) -> tuple[int, list[LivingSession]]:
    """The position of the log's end, and all of them as of then at least, the newest first.

    One of which what is kept was altered cannot be refreshed, and lives no more. Raises `NoSuchUser` for who never was or
    is forgotten.
    """
    position = await head(pool)
    rows = await pool.fetch(
        "SELECT s.owner_id, s.revision, s.sealed, e.recorded_at FROM secrets s "
        "JOIN stored_events e ON e.originator_id = s.owner_id AND e.originator_version = 1 "
        "WHERE s.subject_id = $1 AND s.kind = $2 ORDER BY e.notification_id DESC",
        user_id,
        KIND,
    )
    key = await keys.key_of(pool, user_id)
    if key is None:
        raise NoSuchUser
    sessions = []
    for row in rows:
        try:
            family = Family.from_bytes(open_secret(key, row["owner_id"], KIND, row["revision"], row["sealed"]))
        except ValueError:
            continue
        if now < family.expires_at:
            sessions.append(
                LivingSession(
                    row["owner_id"],
                    row["recorded_at"],
                    family.rotated_at,
                    family.expires_at,
                    family.address,
                    family.user_agent,
                )
            )
    return position, sessions
