"""The data keys that this process has unwrapped lately, fetched together and forgotten on request."""

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag

from events.append import KeyUse
from events.connections import Reading
from events.keys import KEY_BYTES, DataKey, MasterKey

__all__ = ["FORGOTTEN_CHANNEL", "DataKeys"]

MOST_KEPT: Final = 20_000
_UNKNOWN: Final = object()
FORGOTTEN_CHANNEL: Final = "keys_forgotten"
"""Where the subjects of keys that were forgotten are announced."""


class DataKeys:
    """A bounded cache over `data_keys` and `client_keys`, newest use last; `forget` empties it of one subject."""

    def __init__(self, master: MasterKey) -> None:
        self.master = master
        self._keys: OrderedDict[UUID, DataKey | None] = OrderedDict()
        self._months: dict[str, DataKey | None] = {}
        self.forgets = 0
        """How often something was forgotten here, which tells whether what was asked before may be older than that."""

    def make(self, subject_id: UUID) -> tuple[DataKey, KeyUse]:
        """A new key for a new subject, and what must be appended for it to be kept. Not cached before it is."""
        key_id, raw = uuid4(), os.urandom(KEY_BYTES)
        use = KeyUse(subject_id, key_id, self.master.master_id, self.master.wrap(raw, key_id))
        return DataKey(key_id, raw), use

    async def fetch(self, connection: Reading, subjects: Iterable[UUID]) -> None:
        """Have the keys of these subjects at hand, those not yet here in one query."""
        wanted = set(subjects)
        missing = []
        for subject in wanted:
            if subject in self._keys:
                self._keys.move_to_end(subject)
            else:
                missing.append(subject)
        while missing:
            forgets = self.forgets
            rows = await connection.fetch(
                "SELECT subject_id, key_id, wrapped FROM data_keys WHERE subject_id = ANY($1)", missing
            )
            if forgets != self.forgets:  # the answer may be older than what was announced meanwhile
                missing = [subject for subject in wanted if subject not in self._keys]
                continue
            for row in rows:
                if self._keys.get(row["subject_id"], _UNKNOWN) is not None:  # or its tombstone was read meanwhile
                    self._keys[row["subject_id"]] = self._unwrapped(row["key_id"], row["wrapped"])
            wanted -= {subject for subject in missing if subject not in self._keys}  # a key was never made for them
            missing = [subject for subject in wanted if subject not in self._keys]  # others' took their place meanwhile
        while len(self._keys) > MOST_KEPT and next(iter(self._keys)) not in wanted:
            self._keys.popitem(last=False)

    def learn(self, found: Iterable[tuple[UUID, UUID, bytes | None]], forgets: int) -> None:
        """Have at hand what was read together with something else: (subject, id of the key, wrapped).

        `forgets` is what it was before that was asked. A tombstone holds whatever else is known. What does not unwrap is
        left for `fetch` to raise.
        """
        if forgets != self.forgets:
            return
        for subject, key_id, wrapped in found:
            if wrapped is None:
                self._keys[subject] = None
            elif subject not in self._keys:
                with contextlib.suppress(InvalidTag, ValueError):
                    self._keys[subject] = self._unwrapped(key_id, wrapped)
            if subject in self._keys:
                self._keys.move_to_end(subject)
        while len(self._keys) > MOST_KEPT:
            self._keys.popitem(last=False)

    async def key_of(self, connection: Reading, subject_id: UUID) -> DataKey | None:
        """The key of one subject, or None when it was forgotten or never made."""
        await self.fetch(connection, (subject_id,))
        return self.fetched(subject_id)

    def fetched(self, subject_id: UUID) -> DataKey | None:
        """A key that `fetch` was asked for; None when it is forgotten."""
        return self._keys.get(subject_id)

    def forget(self, subject_id: UUID) -> None:
        """Keep this subject's key no longer; the next fetch sees the tombstone."""
        self.forgets += 1
        self._keys.pop(subject_id, None)

    def heard(self, announced: str) -> None:
        """Take in an announcement of `FORGOTTEN_CHANNEL`: a subject, or "" when some may not have been heard."""
        if announced:
            self.forget(UUID(announced))
            return
        self.forgets += 1
        self._keys.clear()

    async def client_key(self, connection: Reading, month: str) -> DataKey | None:
        """The key of a month ("2026-11") under which client addresses are sealed, or None when its time is over."""
        if month not in self._months:
            row = await connection.fetchrow("SELECT key_id, wrapped FROM client_keys WHERE month = $1", month)
            if row is None:
                return None
            self._months[month] = self._unwrapped(row["key_id"], row["wrapped"])
        return self._months[month]

    async def current_client_key(self, connection: Reading, now: datetime) -> tuple[str, DataKey | None]:
        """The month and its key, made by whoever needs it first."""
        month = now.strftime("%Y-%m")
        key = await self.client_key(connection, month)
        if key is None and month not in self._months:
            key_id, raw = uuid4(), os.urandom(KEY_BYTES)
            await connection.execute(
                "SELECT make_client_key($1, $2, $3, $4)",
                month,
                key_id,
                self.master.master_id,
                self.master.wrap(raw, key_id),
            )
            key = await self.client_key(connection, month)
        return month, key

    def _unwrapped(self, key_id: UUID, wrapped: bytes | None) -> DataKey | None:
        return None if wrapped is None else DataKey(key_id, self.master.unwrap(wrapped, key_id))
