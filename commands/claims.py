"""Claims are derived: who owns which address, and which id from elsewhere, follows from the log, and can be computed again.

That is needed after a change of the secret or of the canonicaliser, and shows whether the table is what it should be.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import asyncpg
from msgspec import Struct
from msgspec.structs import astuple

from commands.addresses import EMAIL_SCOPE, any_key
from commands.claimed import CLAIMING, Claim, Claimed
from commands.external_ids import EXTERNAL_SCOPE, external_key
from events.data_keys import DataKeys
from events.event import Event, Recorded
from events.store import head, read_log
from events.user import UserImported

__all__ = ["Rebuilt", "rebuild_claims"]

PAGE: Final = 5000
_TOPICS: Final = [event.__name__ for event in CLAIMING]
SCOPES: Final = [EMAIL_SCOPE, EXTERNAL_SCOPE]
_LOCK: Final = "SELECT pg_advisory_xact_lock(x'6d7573746572'::bigint)"


class Rebuilt(Struct, frozen=True):
    """How far a rebuild is: position of the log of how many; at the end, what differed from what was there."""

    position: int
    head: int
    added: int = 0
    removed: int = 0
    changed: int = 0


async def rebuild_claims(
    connection: asyncpg.Connection, keys: DataKeys, claims_key: bytes, *, repair: bool = True
) -> AsyncIterator[Rebuilt]:
    """Compute all claims from the log, as the owner, and put them in place of what is there.

    Commands go on meanwhile: only the last stretch and the exchange hold the append lock. Nothing is changed unless all
    of it is, or with `repair` off. Safe to interrupt and to repeat.
    """
    await connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS rebuilt (key bytea PRIMARY KEY, owner_id uuid NOT NULL, "
        "proven boolean NOT NULL, left_at bigint NOT NULL, claimed_at timestamptz NOT NULL)"
    )
    await connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS rebuilt_external (key bytea PRIMARY KEY, owner_id uuid NOT NULL, "
        "claimed_at timestamptz NOT NULL)"
    )
    await connection.execute("CREATE INDEX IF NOT EXISTS rebuilt_owner_idx ON rebuilt (owner_id)")
    await connection.execute("TRUNCATE rebuilt, rebuilt_external")
    position = 0
    end = await head(connection)
    while events := await read_log(connection, keys, after=position, until=end, limit=PAGE, topics=_TOPICS):
        await _apply(connection, events, claims_key)
        position = events[-1].position
        yield Rebuilt(position, end)
    async with connection.transaction():
        await connection.execute(_LOCK)
        last = await head(connection)
        while events := await read_log(connection, keys, after=end, until=last, limit=PAGE, topics=_TOPICS):
            await _apply(connection, events, claims_key)
            end = events[-1].position
        yield await _exchange(connection, last, repair=repair)


async def _apply(connection: asyncpg.Connection, events: Sequence[Recorded[Event]], claims_key: bytes) -> None:
    """Fold a page into the table: the claims that it touches are read, and written as they are after it."""
    owners = [recorded.stream_id for recorded in events]
    keys = [any_key(claims_key, email) for recorded in events if isinstance(email := _email(recorded.event), str)]
    rows = await connection.fetch(
        "DELETE FROM rebuilt WHERE owner_id = ANY($1) OR key = ANY($2) "
        "RETURNING key, owner_id, proven, left_at, claimed_at",
        owners,
        keys,
    )
    claimed = Claimed(Claim(*row) for row in rows)
    for recorded in events:
        claimed.take(recorded, claims_key)
    await connection.copy_records_to_table("rebuilt", records=[astuple(claim) for claim in claimed.claims])
    await _apply_external(connection, events, claims_key)


async def _apply_external(connection: asyncpg.Connection, events: Sequence[Recorded[Event]], claims_key: bytes) -> None:
    """An id from elsewhere is whose it was last brought in with. A forgotten one is nobody's."""
    latest = {
        external_key(claims_key, external): (recorded.stream_id, recorded.recorded_at)
        for recorded in events
        if isinstance(recorded.event, UserImported) and isinstance(external := recorded.event.external_id, str)
    }
    await connection.executemany(
        "INSERT INTO rebuilt_external AS r (key, owner_id, claimed_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (key) DO UPDATE SET owner_id = excluded.owner_id, claimed_at = excluded.claimed_at",
        [(key, *claim) for key, claim in latest.items()],
    )


def _email(event: Event) -> object:
    return getattr(event, "email", None)


_ANEW: Final = f"""
    SELECT '{EMAIL_SCOPE}' AS scope, key, owner_id, proven, claimed_at FROM rebuilt
    UNION ALL SELECT '{EXTERNAL_SCOPE}', key, owner_id, true, claimed_at FROM rebuilt_external
"""  # noqa: S608 - made of constants


_DIFFERING: Final = f"""
    SELECT count(*) FILTER (WHERE there.key IS NULL) AS added, count(*) FILTER (WHERE anew.key IS NULL) AS removed,
        count(*) FILTER (
            WHERE (there.owner_id, there.proven) IS DISTINCT FROM (anew.owner_id, anew.proven)
                AND there.key IS NOT NULL AND anew.key IS NOT NULL
        ) AS changed
    FROM (SELECT * FROM claims WHERE scope = ANY($1)) AS there
    FULL JOIN ({_ANEW}) AS anew ON anew.scope = there.scope AND anew.key = there.key
"""  # noqa: S608 - made of constants


async def _exchange(connection: asyncpg.Connection, position: int, *, repair: bool) -> Rebuilt:
    row = await connection.fetchrow(_DIFFERING, SCOPES)
    if repair and any(row):
        await connection.execute("DELETE FROM claims WHERE scope = ANY($1)", SCOPES)
        await connection.execute(f"INSERT INTO claims (scope, key, owner_id, proven, claimed_at) {_ANEW}")
    return Rebuilt(position, position, *row)
