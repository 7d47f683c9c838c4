"""A log that tests write to, event by event."""

from collections import Counter
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from events.append import Append, KeyUse, NewEvent
from events.codec import encode, write_metadata
from events.committer import Committer
from events.event import ANONYMOUS, Event, Metadata
from events.keys import DataKey
from tests.support import Database

__all__ = ["Log", "in_partition"]


def in_partition(partition: int, partitions: int) -> UUID:
    """A new id that falls into a partition."""
    while (made := uuid7()).bytes[15] % partitions != partition:
        pass
    return made


class Log:
    """Records events of users, each command of them with one metadata; answers with the position of the last event."""

    def __init__(self, database: Database, committer: Committer) -> None:
        self.database = database
        self._committer = committer
        self._keys: dict[UUID, DataKey] = {}
        self._versions: Counter[UUID] = Counter()

    async def add(self, user_id: UUID, *events: Event) -> int:
        """Events of one user in one commit; the first makes the user's key."""
        uses = []
        if user_id not in self._keys:
            self._keys[user_id], use = self.database.keys.make(user_id)
            uses.append(use)
        new: list[tuple[int, str, bytes]] = []
        for event in events:
            version = self._versions[user_id] + len(new) + 1
            new.append((version, *encode(event, user_id, version, self._keys[user_id])))
        return await self._append(user_id, new, uses)

    async def add_to_session(self, user_id: UUID, session_id: UUID, *events: Event) -> int:
        """Events of a session of a user, in one commit."""
        first = self._versions[session_id] + 1
        new = [
            (version, *encode(event, session_id, version, None)) for version, event in enumerate(events, start=first)
        ]
        return await self._append(session_id, new, [], user_id, "session")

    async def add_to_key(self, user_id: UUID, key_id: UUID, *events: Event) -> int:
        """Events of an API key of a user, whose data key seals them, in one commit."""
        first = self._versions[key_id] + 1
        new = [
            (version, *encode(event, key_id, version, self._keys[user_id]))
            for version, event in enumerate(events, start=first)
        ]
        return await self._append(key_id, new, [], user_id, "api_key")

    async def add_raw(self, user_id: UUID, topic: str, state: bytes) -> int:
        """An event as another version, or someone with the owner's rights, may have written it."""
        return await self._append(user_id, [(self._versions[user_id] + 1, topic, state)], [])

    async def _append(
        self,
        stream_id: UUID,
        new: list[tuple[int, str, bytes]],
        uses: list[KeyUse],
        user_id: UUID | None = None,
        stream_type: str = "user",
    ) -> int:
        metadata = write_metadata(Metadata(actor=ANONYMOUS, command="Test", correlation_id=uuid7()))
        events = [NewEvent(stream_id, stream_type, *event, user_id or stream_id, metadata) for event in new]
        expected = {stream_id: self._versions[stream_id]}
        position = await self._committer.commit(Append(uuid7(), events, expected, keys=uses))
        self._versions[stream_id] += len(new)
        return position

    async def forget(self, user_id: UUID) -> None:
        """Destroy a user's key, as erasing does."""
        await self.database.query(
            "UPDATE data_keys SET wrapped = NULL, forgotten_at = now() WHERE subject_id = $1", user_id
        )

    async def positions(self) -> list[Any]:
        """Everything that is in the log: (position, topic)."""
        rows = await self.database.query("SELECT notification_id, topic FROM stored_events ORDER BY 1")
        return [tuple(row) for row in rows]
