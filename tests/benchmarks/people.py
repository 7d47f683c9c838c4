"""People who were there before anything is measured: in Muster by its own commands, and their access tokens."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from commands.access_tokens import AccessTokens
from commands.handler import Context, Handler
from commands.links import VERIFY_EMAIL, link_token
from commands.passwords import Hasher
from commands.register_user import RegisterUser
from commands.rules import rules
from commands.signing_keys import read_signing_keys
from commands.verify_email import VerifyEmail
from events.committer import Committer
from events.connections import connect, open_pool
from events.event import ANONYMOUS
from tests.api.site import BASE_URL, projected, settings_for
from tests.benchmarks.requests import PASSWORD
from tests.benchmarks.views import caught_up
from tests.support import Database

__all__ = ["Person", "people", "tokens", "vacuum"]


class Person(Struct, frozen=True):
    """Someone who has proved their address and stands in the view."""

    id: UUID
    email: str
    position: int


class _OneHash(Hasher):
    """Hashes once: those who are seeded have one password."""

    _made: str | None = None

    async def hash(self, password: str) -> str:
        """The same hash each time."""
        if self._made is None:
            self._made = await super().hash(password)
        return self._made


async def people(database: Database, count: int) -> list[Person]:
    """Make so many people by the commands that anyone would use."""
    settings = settings_for(database)
    ruling, hasher = rules(database.secret, settings), _OneHash(threads=1)
    pool = await open_pool(database.url("writer"), "seeding", 10)
    committer = Committer(lambda: connect(database.url("writer"), "seeding"))
    await committer.start()
    handler = Handler(pool, committer, database.keys, ruling, hasher)
    context, room = Context(ANONYMOUS), asyncio.Semaphore(64)

    async def person(number: int) -> Person:
        email = f"seed{number:09}@example.com"
        async with room:
            user_id = (await handler.handle(RegisterUser(email, PASSWORD, "Ada Lovelace"), context)).result.user_id
            expires = datetime.now(UTC) + timedelta(hours=1)
            link = link_token(ruling.links_key, VERIFY_EMAIL, user_id, 1, expires)
            proved = await handler.handle(VerifyEmail(user_id, link), context)
        return Person(user_id, email, proved.position)

    try:
        made = await asyncio.gather(*(person(number) for number in range(count)))
    finally:
        await committer.stop()
        await pool.close()
        hasher.close()
    async with projected(database):
        await caught_up(database, patience=120)
    return made


async def tokens(database: Database, people: Iterable[Person], *roles: str) -> list[str]:
    """A fresh access token for each, good for ten minutes, as signing in would give it to someone with these roles."""
    now = datetime.now(UTC)
    connection = await connect(database.url("writer"), "seeding")
    keys = await read_signing_keys(connection, database.master, now)
    await connection.close()
    minting = AccessTokens(keys, BASE_URL, BASE_URL)
    return [minting.mint(person.id, uuid7(), roles, person.position, now, uuid7()) for person in people]


async def vacuum(database: Database) -> None:
    """Let the planner know the tables as they are, instead of some time during the measurement."""
    for url in (database.owner_url, database.url("projector")):
        connection = await connect(url, "seeding")
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tableowner = current_user"
        )
        for (name,) in tables:
            await connection.execute(f"VACUUM (ANALYZE) {name}")
        await connection.close()
