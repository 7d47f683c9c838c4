"""All people as they were at a position of the log, by their ids, in memory that does not grow with them."""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from events.connections import Reading
from events.data_keys import DataKeys
from events.store import recorded
from events.user import STREAM_TYPE, UserImported
from projections.serving import serving_table
from projections.topics import known_topics
from projections.users import PERSON, USERS, UserRow, evolve

__all__ = ["ExportedUser", "about_how_many", "exported_users"]

EVENTS_AT_ONCE: Final = 2_000
FIRST: Final = UUID(int=0)

_PAGE: Final = f"""
    SELECT originator_id, originator_version, topic, state, notification_id, stream_type, subject_id, recorded_at,
        NULL AS metadata
    FROM stored_events
    WHERE (originator_id, originator_version) > ($1, $2) AND notification_id <= $3 AND stream_type = '{STREAM_TYPE}'
    ORDER BY originator_id, originator_version LIMIT $4
"""  # noqa: S608 - made of constants


class ExportedUser(Struct, frozen=True):
    """A user, and the id that they had elsewhere before they were imported."""

    user: UserRow
    external_id: str | None


class _Fold:
    """The events of one user after the other, and who is whole by now."""

    def __init__(self) -> None:
        self._id: UUID | None = None
        self._user: UserRow | None = None
        self._external_id: str | None = None

    def take(self, row: Any, keys: DataKeys) -> ExportedUser | None:
        """One more event; whoever was before, where it is the first of another user."""
        before = None
        if row["originator_id"] != self._id:
            before = self.last()
            self._id, self._user, self._external_id = row["originator_id"], None, None
        fact = recorded(row, keys)
        self._user = evolve(self._user, fact)  # type: ignore[arg-type] # only events of users were asked for
        if isinstance(fact.event, UserImported) and isinstance(fact.event.external_id, str):
            self._external_id = fact.event.external_id
        return before

    def last(self) -> ExportedUser | None:
        """Whoever it was about, unless the registration is over, they were forgotten, or it is a program's account."""
        if self._user is None or self._user.kind != PERSON:
            return None
        return ExportedUser(self._user, self._external_id)


async def exported_users(reading: Reading, keys: DataKeys, until: int) -> AsyncIterator[list[ExportedUser]]:
    """Everyone who was there at a position, some at a time. It needs no snapshot, for what the log held then it holds.

    `keys` should not be those of a process that needs them for others. Raises `UnknownEvent` for what a newer version has recorded, `SealBroken` for what was tampered with.
    """
    known_topics()  # has all classes of events at hand
    fold, place = _Fold(), (FIRST, 0)
    while rows := await reading.fetch(_PAGE, *place, until, EVENTS_AT_ONCE):
        await keys.fetch(reading, {row["subject_id"] for row in rows if row["subject_id"]})
        yield [user for row in rows if (user := fold.take(row, keys)) is not None]
        place = rows[-1]["originator_id"], rows[-1]["originator_version"]
    if (last := fold.last()) is not None:
        yield [last]


async def about_how_many(reading: Reading) -> int:
    """How many users the view shows, for whoever wants to know how long it will take; 0 while it is being built."""
    table = await serving_table(reading, USERS)
    if table is None:
        return 0
    count: int = await reading.fetchval(f"SELECT count(*) FROM {USERS.on(table).table.fullname}")  # noqa: S608 - a name of ours
    return count
