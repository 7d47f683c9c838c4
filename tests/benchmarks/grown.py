"""Databases with very many users, who have lived for a month: made once, and kept for other rounds and, in a kept folder, other runs."""

from datetime import UTC, datetime
from typing import Final

from api.migrating import migrated
from events.connections import connect
from events.store import head
from projections.checkpoints import begin_at
from projections.reactions.emails import EMAILS
from tests.api.site import settings_for
from tests.benchmarks.filling import fill_with, realm_of
from tests.benchmarks.house import House
from tests.benchmarks.lives import long_waves
from tests.benchmarks.names import email_of
from tests.benchmarks.people import Person, vacuum
from tests.benchmarks.views import caught_up
from tests.support import Database

__all__ = ["grown", "some_people"]

EVENTS_EACH: Final = 5
COMPLETE: Final = "filled by benchmarks"


async def grown(house: House, users: int) -> Database:
    """A database with so many users, and all views of them at the log's end."""
    name = f"grown_{users}"
    database = Database(house.postgres._url(name))
    if await _is_complete(house, name):
        house.tell(f"{users:,} users are there already")
        await migrated(settings_for(database))
    else:
        await _fill(house, name, users)
    house.tell(f"views of {users:,} users are brought to the log's end")
    async with house.working(house.worker(database, f"worker {users}")):
        await caught_up(database, house.tell)
    await vacuum(database)
    return database


async def _is_complete(house: House, name: str) -> bool:
    connection = await connect(house.postgres.url, "benchmarks")
    comment = await connection.fetchval(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", name
    )
    await connection.close()
    return bool(comment == COMPLETE)


async def _fill(house: House, name: str, users: int) -> None:
    house.tell(f"making {users:,} users, some {users * EVENTS_EACH:,} events")
    database = await house.muster(name, kept=True)
    now = datetime.now(UTC)
    realm = await realm_of(database, now)
    done = await fill_with(database, long_waves(realm, users, now), users * EVENTS_EACH, house.tell)
    house.tell(f"{users:,} users have had {done:,} events")
    connection = await connect(database.url("projector"), "benchmarks")
    await begin_at(connection, EMAILS.name, 1, await head(connection))  # no mail is owed to them
    await connection.close()
    await database.query(f"COMMENT ON DATABASE {name} IS '{COMPLETE}'")


async def some_people(database: Database, users: int, count: int) -> list[Person]:
    """Some of those who proved their addresses, as the log knows them, the same each time and spread over everyone."""
    rows = await database.query(
        """
        SELECT id, number, (SELECT max(notification_id) FROM stored_events) AS head FROM (
            SELECT originator_id AS id, row_number() OVER (ORDER BY notification_id) - 1 AS number
            FROM stored_events WHERE topic = 'UserRegistered'
        ) AS registered
        WHERE number < $1 AND EXISTS (SELECT FROM claims WHERE owner_id = id AND proven)
        ORDER BY md5(number::text) LIMIT $2
        """,
        users,
        count,
    )
    return [Person(row["id"], email_of(row["number"]), row["head"]) for row in rows]
