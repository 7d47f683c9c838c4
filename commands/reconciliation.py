"""After a restore: keys are brought back, and what was erased since the backup is erased again, before anything opens.

The log and its keys come from backups of different age. The newer one of the keys knows who was erased after the log's was
made: their keys are tombstones there. A tombstone always wins, so that no order of steps brings anybody back.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from commands.erase_user import EraseUser
from commands.errors import LastAdministrator
from commands.handler import Context, Handler
from events.epochs import Epoch, begin_epoch
from events.event import Actor
from events.key_backups import ClientKeyLine, DataKeyLine, Line

__all__ = ["Reconciled", "missing_keys", "reconcile", "restore_keys"]

AT_ONCE: Final = 5000
_AGAIN: Final = Context(Actor("operator", name="restore"))
_PEOPLE: Final = "SELECT DISTINCT subject_id FROM stored_events WHERE stream_type = 'user' AND originator_version = 1"
_ERASED_ELSEWHERE: Final = """
SELECT k.subject_id FROM data_keys AS k
WHERE k.wrapped IS NULL
    AND EXISTS (SELECT FROM stored_events AS e WHERE e.originator_id = k.subject_id AND e.stream_type = 'user')
    AND NOT EXISTS (SELECT FROM stored_events AS e WHERE e.originator_id = k.subject_id AND e.topic = 'UserErased')
ORDER BY k.subject_id
"""
_DATA: Final = """
INSERT INTO data_keys AS here (subject_id, key_id, master_id, wrapped, forgotten_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::timestamptz[])
ON CONFLICT (subject_id) DO UPDATE SET wrapped = NULL, forgotten_at = excluded.forgotten_at
    WHERE excluded.wrapped IS NULL AND here.wrapped IS NOT NULL
"""
_CLIENT: Final = """
INSERT INTO client_keys AS here (month, key_id, master_id, wrapped)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bytea[])
ON CONFLICT (month) DO UPDATE SET key_id = excluded.key_id, master_id = excluded.master_id, wrapped = excluded.wrapped
"""


class Reconciled(Struct, frozen=True):
    """The epoch that began, who was erased again, and of whom that could not be recorded: the last administrators."""

    epoch: Epoch
    erased: list[UUID]
    refused: list[UUID]


async def restore_keys(
    connection: asyncpg.Connection, keys: Iterator[Line], tell: Callable[[int], None] = lambda _done: None
) -> int:
    """Bring keys back that are missing, and destroy those that were destroyed; how many there were. As the owner.

    All or nothing: raises `KeyBackupBroken` where the backup does, and then nothing has changed. Safe to repeat.
    """
    done = 0
    async with connection.transaction():
        while page := list(islice(keys, AT_ONCE)):
            for statement, kind in ((_DATA, DataKeyLine), (_CLIENT, ClientKeyLine)):
                rows = [line for line in page if isinstance(line, kind)]
                if rows:
                    names = kind.__struct_fields__
                    await connection.execute(statement, *([getattr(row, name) for row in rows] for name in names))
            done += len(page)
            tell(done)
    return done


async def missing_keys(connection: asyncpg.Connection) -> list[UUID]:
    """People in the log of whom there is neither a key nor a tombstone: a backup of keys that is older than the log's."""
    rows = await connection.fetch(
        f"SELECT subject_id FROM ({_PEOPLE}) AS people WHERE NOT EXISTS "  # noqa: S608 - made of constants
        "(SELECT FROM data_keys AS k WHERE k.subject_id = people.subject_id) ORDER BY 1"
    )
    return [row["subject_id"] for row in rows]


async def reconcile(
    connection: asyncpg.Connection, handler: Handler, epoch: int = 0, forget: list[UUID] | None = None
) -> Reconciled:
    """Erase again who was erased, drop what is left of them beside the log, and begin another epoch. As the owner.

    `forget` are people whose keys are lost: they get tombstones as well. Keys of nobody are dropped. Safe to repeat.
    """
    async with connection.transaction():
        if forget:
            await connection.execute(
                "INSERT INTO data_keys (subject_id, key_id, master_id, forgotten_at) "
                "SELECT subject_id, gen_random_uuid(), '', clock_timestamp() FROM unnest($1::uuid[]) AS subject_id",
                forget,
            )
        await connection.execute(
            "DELETE FROM data_keys AS k "
            "WHERE NOT EXISTS (SELECT FROM stored_events AS e WHERE e.subject_id = k.subject_id) "
            "AND NOT EXISTS (SELECT FROM stored_events AS e WHERE e.originator_id = k.subject_id)"
        )
        for table, column in (("secrets", "subject_id"), ("receipts", "subject_id"), ("claims", "owner_id")):
            await connection.execute(
                f"DELETE FROM {table} WHERE {column} IN (SELECT subject_id FROM data_keys WHERE wrapped IS NULL)"  # noqa: S608
            )
    erased, refused = [], []
    for row in await connection.fetch(_ERASED_ELSEWHERE):
        user_id = row["subject_id"]
        try:
            await handler.handle(EraseUser(user_id), _AGAIN)
        except LastAdministrator:
            refused.append(user_id)
        else:
            erased.append(user_id)
    return Reconciled(await begin_epoch(connection, epoch), erased, refused)
