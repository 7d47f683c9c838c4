"""Letting a session end that was not refreshed for too long."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from commands.refresh_tokens import KIND, Family
from commands.secrets import open_secret
from commands.session import Session
from commands.unit import Unit
from events.codec import SealBroken
from events.connections import Reading
from events.data_keys import DataKeys
from events.session import SessionEvent, SessionExpired

__all__ = ["ExpireSession", "expiring"]

PAGE: Final = 500


class ExpireSession(Struct, frozen=True):
    """End a session whose refresh token has expired."""

    session_id: UUID

    def decide(self, session: Session, family: Family | None, now: datetime) -> list[SessionEvent]:
        """The session is over, unless it is already or can still be refreshed."""
        if session.version == 0 or session.ended or family is None:
            return []
        return [SessionExpired()] if now >= family.expires_at else []

    async def perform(self, unit: Unit) -> bool:
        """End it and drop its refresh tokens; whether it did."""
        session = await unit.session(self.session_id)
        secret = await unit.secret(self.session_id, KIND)
        events = self.decide(session, Family.from_bytes(secret.plain) if secret else None, unit.now)
        if not events:
            return False
        assert secret is not None
        unit.record_session(self.session_id, secret.subject_id, *events)
        unit.drop_secret(secret)
        return True


async def expiring(pool: Reading, keys: DataKeys, now: datetime, days: int) -> AsyncIterator[UUID]:
    """Sessions whose refresh token has expired, a page at a time, and those of which what is kept was altered.

    Only those that were started long enough ago are looked at: a session's id tells when that was (UUIDv7, RFC 9562). Many
    of them are refreshed all the time, which takes opening them to see, but not asking the command of each.
    """
    until = _least_id(now - timedelta(days=days))
    after = UUID(int=0)
    while rows := await pool.fetch(
        "SELECT owner_id, subject_id, revision, sealed FROM secrets "
        "WHERE kind = $1 AND owner_id > $2 AND owner_id < $3 ORDER BY owner_id LIMIT $4",
        KIND,
        after,
        until,
        PAGE,
    ):
        await keys.fetch(pool, {row["subject_id"] for row in rows})
        for row in rows:
            if not _lives(row, keys, now):
                yield row["owner_id"]
        after = rows[-1]["owner_id"]


def _lives(row: Any, keys: DataKeys, now: datetime) -> bool:
    if (key := keys.fetched(row["subject_id"])) is None:
        return False
    with contextlib.suppress(SealBroken):
        return (
            now < Family.from_bytes(open_secret(key, row["owner_id"], KIND, row["revision"], row["sealed"])).expires_at
        )
    return False


def _least_id(moment: datetime) -> UUID:
    return UUID(int=int(moment.timestamp() * 1000) << 80)
