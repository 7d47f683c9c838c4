"""Letting an invitation lapse that nobody accepted in time; and which are open."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.invitation import SCOPE, Invitation, fold
from commands.invite_user import end_invitation
from commands.unit import Unit
from events.connections import Reading
from events.data_keys import DataKeys
from events.invitation import InvitationEvent, InvitationLapsed
from events.store import head, read_streams

__all__ = ["FIRST", "LapseInvitation", "OpenInvitation", "invitations_past", "open_invitations"]

PAGE: Final = 500
FIRST: Final = UUID(int=0)
"""Less than every id."""


class LapseInvitation(Struct, frozen=True):
    """Forget an address that was invited and never answered."""

    invitation_id: UUID

    def decide(self, invitation: Invitation, now: datetime) -> list[InvitationEvent]:
        """It is over, unless it is already or can still be accepted."""
        return [InvitationLapsed()] if invitation.open and invitation.expired(now) else []

    async def perform(self, unit: Unit) -> bool:
        """End it; whether it did."""
        events = self.decide(await unit.invitation(self.invitation_id), unit.now)
        unit.record_invitation(self.invitation_id, *events)
        if events:
            await end_invitation(unit, self.invitation_id)
        return bool(events)


class OpenInvitation(Struct, frozen=True):
    """An invitation that waits for an answer."""

    id: UUID
    email: str
    roles: tuple[str, ...]
    display_name: str | None
    locale: str | None
    by: UUID | None
    sent_at: datetime
    expires_at: datetime


async def open_invitations(
    pool: Reading, keys: DataKeys, now: datetime, *, after: UUID = FIRST, limit: int = 50
) -> tuple[int, list[OpenInvitation], UUID | None]:
    """The position of the log's end; those that were open then and can be accepted, the oldest first; after which to go on.

    Needs the writer's rights: nobody else may read the claims.
    """
    position = await head(pool)
    ids = await _open(pool, after, limit + 1)
    found = []
    for invitation_id, history in (await read_streams(pool, keys, ids[:limit])).items():
        if isinstance(history, Exception):
            raise history
        one = fold(history)
        if one.sent_at is None or one.expires_at is None or one.expired(now) or not isinstance(one.email, str):
            continue
        name = one.display_name if isinstance(one.display_name, str) else None
        language = one.locale if isinstance(one.locale, str) else None
        found.append(
            OpenInvitation(invitation_id, one.email, one.roles, name, language, one.by, one.sent_at, one.expires_at)
        )
    return position, found, ids[limit - 1] if len(ids) > limit else None


async def invitations_past(pool: Reading, keys: DataKeys, now: datetime) -> AsyncIterator[UUID]:
    """Those that are open and can be accepted no longer, a page at a time."""
    after = FIRST
    while ids := await _open(pool, after, PAGE):
        for invitation_id, history in (await read_streams(pool, keys, ids)).items():
            if isinstance(history, Exception) or fold(history).expired(now):
                yield invitation_id
        after = ids[-1]


async def _open(pool: Reading, after: UUID, limit: int) -> list[UUID]:
    rows = await pool.fetch(
        "SELECT owner_id FROM claims WHERE scope = $1 AND key > $2 ORDER BY key LIMIT $3", SCOPE, after.bytes, limit
    )
    return [row[0] for row in rows]
