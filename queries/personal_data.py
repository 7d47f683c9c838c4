"""Questions that a person may ask about themselves: everything that happened to them, and what is kept beside the log."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from events.codec import SealBroken, open_note, read_metadata
from events.connections import Reading
from events.data_keys import DataKeys
from events.event import Event, Recorded, UnknownEvent
from events.rows import log_rows
from events.store import read_log, recorded
from projections.folding import fold_whole
from projections.topics import known_topics
from projections.users import USERS
from queries.deliveries import DeliveryView, deliveries
from queries.history import EventView, shown_row
from queries.users import UserView, view_of_row

__all__ = ["KeptBeside", "ToldEvent", "account", "everything_that_happened", "kept_beside", "mail_to"]

PAGE: Final = 500


class ToldEvent(EventView, frozen=True):
    """An event, and from which address and with what the command came: null once the key of its month is destroyed."""

    address: str | None
    user_agent: str | None


class KeptBeside(Struct, frozen=True):
    """Something that is kept beside the log: a secret or a receipt of this kind, and until when, if that is known."""

    kind: str
    about: UUID | None
    until: datetime | None


async def account(pool: Reading, keys: DataKeys, user_id: UUID, until: int) -> UserView | None:
    """A user as the view shows them, folded from the log up to a position; None for a registration that came to nothing."""
    topics = [event.__name__ for event in USERS.events]
    facts: list[Recorded[Event]] = []
    while page := await read_log(
        pool, keys, after=facts[-1].position if facts else 0, until=until, limit=PAGE, topics=topics, subject_id=user_id
    ):
        facts += page
    rows = fold_whole(USERS, facts)
    return view_of_row(rows[0]) if rows else None


async def everything_that_happened(pool: Reading, keys: DataKeys, user_id: UUID, until: int) -> list[ToldEvent]:
    """All events about someone up to a position, in whatever stream, in the order of the log."""
    known_topics()  # has all classes of events at hand
    told: list[ToldEvent] = []
    after = 0
    while rows := await log_rows(pool, after=after, until=until, limit=PAGE, subject_id=user_id):
        await keys.fetch(pool, {user_id})
        for row in rows:
            view = shown_row(row, keys)
            client = await _client(pool, keys, row)
            told.append(ToldEvent(**asdict(view), address=client.get("address"), user_agent=client.get("user_agent")))
        after = rows[-1]["notification_id"]
    return told


async def _client(pool: Reading, keys: DataKeys, row: Any) -> dict[str, str]:
    """Whence a command came, where that is kept and this version can read the event."""
    try:
        metadata = read_metadata(row["metadata"] or "")
        if metadata.client is None or metadata.client_month is None:
            return {}
        key = await keys.client_key(pool, metadata.client_month)
        client = open_note(metadata.client, "client", recorded(row, keys), key)
    except (UnknownEvent, SealBroken, msgspec.MsgspecError):
        return {}
    return client if isinstance(client, dict) else {}


async def kept_beside(pool: Reading, user_id: UUID) -> list[KeptBeside]:
    """Secrets and receipts, by their kinds; `pool` has the writer's rights."""
    secrets = await pool.fetch(
        "SELECT kind, owner_id FROM secrets WHERE subject_id = $1 ORDER BY kind, owner_id", user_id
    )
    receipts = await pool.fetch("SELECT expires_at FROM receipts WHERE subject_id = $1 ORDER BY expires_at", user_id)
    return [
        *(KeptBeside(row["kind"], row["owner_id"], None) for row in secrets),
        *(KeptBeside("receipt", None, row["expires_at"]) for row in receipts),
    ]


async def mail_to(pool: Reading, user_id: UUID) -> list[DeliveryView]:
    """What was or will be mailed to someone, the newest first."""
    told: list[DeliveryView] = []
    page = await deliveries(pool, subject=user_id)
    told += page.items
    while page.next is not None:
        page = await deliveries(pool, subject=user_id, after=page.next)
        told += page.items
    return told
