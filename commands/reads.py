"""What decisions read all the time: who owns a claim, a stream, a secret. Those who ask at once are answered together."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from commands.secrets import Secret, opened
from events.connections import Reading
from events.data_keys import DataKeys
from events.event import Event, Recorded
from events.gathering import Gathered
from events.store import read_streams

__all__ = ["Reads"]

# Looked up one by one through correlated subqueries, which no plan for many can make a scan of.
_OWNERS: Final = (
    "SELECT (SELECT owner_id FROM claims c WHERE c.scope = asked.scope AND c.key = asked.key) "
    "FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS asked (scope, key, number) ORDER BY number"
)
_SECRETS: Final = (
    "SELECT s.owner_id, s.kind, s.subject_id, s.revision, s.sealed "
    "FROM unnest($1::uuid[], $2::text[]) AS asked (owner_id, kind) CROSS JOIN LATERAL ("
    "SELECT * FROM secrets d WHERE d.owner_id = asked.owner_id AND d.kind = asked.kind OFFSET 0) AS s"
)


class Reads:
    """The reads of one process; one for all of its commands."""

    def __init__(self, pool: Reading, keys: DataKeys) -> None:
        self._pool = pool
        self._keys = keys
        self._owners: Gathered[tuple[str, bytes], UUID | None] = Gathered(self._ask_owners)
        self._streams: Gathered[UUID, list[Recorded[Event]]] = Gathered(self._ask_streams)
        self._secrets: Gathered[tuple[UUID, str], Secret | None] = Gathered(self._ask_secrets)

    async def owner(self, scope: str, key: bytes) -> UUID | None:
        """Who owns a claim now."""
        return await self._owners.answer((scope, key))

    async def stream(self, stream_id: UUID) -> list[Recorded[Event]]:
        """A stream's events, as `read_stream` has them. Raises as that does."""
        return await self._streams.answer(stream_id)

    async def secret(self, owner_id: UUID, kind: str) -> Secret | None:
        """A secret, opened; None where there is none or its subject's key is forgotten. Raises `SealBroken`."""
        return await self._secrets.answer((owner_id, kind))

    async def _ask_owners(self, asked: Sequence[tuple[str, bytes]]) -> Mapping[tuple[str, bytes], UUID | None]:
        rows = await self._pool.fetch(_OWNERS, *map(list, zip(*asked, strict=True)))
        return dict(zip(asked, (row[0] for row in rows), strict=True))

    async def _ask_streams(self, asked: Sequence[UUID]) -> Mapping[UUID, list[Recorded[Event]] | Exception]:
        return await read_streams(self._pool, self._keys, asked)

    async def _ask_secrets(self, asked: Sequence[tuple[UUID, str]]) -> Mapping[tuple[UUID, str], Any]:
        rows = await self._pool.fetch(_SECRETS, *map(list, zip(*asked, strict=True)))
        await self._keys.fetch(self._pool, {row["subject_id"] for row in rows})
        found = {(row["owner_id"], row["kind"]): opened(row, self._keys) for row in rows}
        return {key: found.get(key) for key in asked}
