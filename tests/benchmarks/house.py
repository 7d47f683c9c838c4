"""What is measured over HTTP: Muster and its peer as processes on one Postgres, and people who were there before."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import Struct
from msgspec.structs import fields
from uuid_utils.compat import uuid7

from api.embedded import Postgres, Valkey
from api.migrating import migrated
from api.own_servers import without_user
from api.ports import LOOPBACK
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
from queries.users import VIEW
from settings import Settings, variable
from tests.api.site import BASE_URL, environment_for, projected, settings_for
from tests.benchmarks.busy import Meter
from tests.benchmarks.requests import PASSWORD
from tests.benchmarks.serving import PORT, Server, Serving, serving
from tests.support import Database, until

__all__ = ["BARE", "House", "Person", "people", "tokens"]

BARE: Final = {
    **{variable(field.name): "none" for field in fields(Settings) if field.name.startswith("limit_")},
    "MUSTER_EVEN_ANSWERS_MILLISECONDS": "0",
    "MUSTER_LOG_LEVEL": "error",
}
"""Settings that switch off what can be switched off."""


class House(Struct, frozen=True):
    """The servers that everyone shares, and how it is measured."""

    postgres: Postgres
    valkey: Valkey
    folder: Path
    rounds: int
    connections: int
    tell: Callable[[str], None]

    async def muster(self, name: str) -> Database:
        """A database for Muster, ready to be served from."""
        database = Database(await asyncio.to_thread(self.postgres.create, name))
        await migrated(settings_for(database))
        return database

    async def crud(self) -> Server:
        """The peer on a database of its own, with hashing taken out."""
        url = await asyncio.to_thread(self.postgres.create, "crud")
        environment = {
            "CRUD_DATABASE_URL": urlsplit(url)._replace(scheme="postgresql+asyncpg").geturl(),
            "CRUD_SECRET_KEY": "a secret of the peer, of 32 bytes or more",
            "CRUD_HASHING": "plain",
        }
        arguments = ("uvicorn", "tests.benchmarks.crud.app:app", "--port", PORT, "--loop", "uvloop")
        quiet = ("--http", "httptools", "--no-access-log", "--log-level", "warning")
        return Server("crud", (sys.executable, "-m", *arguments, *quiet), environment, "/openapi.json")

    def api(self, database: Database, arguments: Sequence[str] = (), changes: Mapping[str, str] = {}) -> Server:
        """The API of Muster by the benchmarks' own script, which takes these arguments, with these settings changed."""
        return self._api(database, ("tests.benchmarks.muster_api", *arguments), changes)

    def as_shipped(self, database: Database, changes: Mapping[str, str] = {}) -> Server:
        """`muster api`, with these settings changed."""
        return self._api(database, ("api.cli", "api"), changes)

    def _api(self, database: Database, module: Sequence[str], changes: Mapping[str, str]) -> Server:
        environment = environment_for(
            database,
            MUSTER_PORT=PORT,
            MUSTER_DATABASE_URL=without_user(database.owner_url),
            MUSTER_REDIS_URL=self.valkey.url,
            MUSTER_TRUSTED_PROXIES=LOOPBACK,
            **changes,
        )
        return Server("muster", (sys.executable, "-m", *module), environment, "/readyz")

    @asynccontextmanager
    async def serving(self, server: Server) -> AsyncIterator[tuple[Serving, Meter]]:
        """A server, ready, and what measures how much everyone takes."""
        async with serving(server, self.folder) as process:
            postgres, valkey = self.postgres._child, self.valkey._child
            assert postgres is not None
            assert valkey is not None
            yield process, Meter({"server": process.pid, "Postgres": postgres.pid, "Valkey": valkey.pid})


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
        await until(lambda: _shown(database), 120)
    return made


async def _shown(database: Database) -> bool:
    """Whether the view has come to the log's end."""
    rows = await database.query(
        "SELECT min(position) >= (SELECT max(notification_id) FROM stored_events) AS shown "
        "FROM checkpoints WHERE consumer = $1",
        VIEW,
    )
    return bool(rows[0]["shown"])


async def tokens(database: Database, people: Iterable[Person]) -> list[str]:
    """A fresh access token for each, good for ten minutes, as signing in would give it."""
    now = datetime.now(UTC)
    connection = await connect(database.url("writer"), "seeding")
    keys = await read_signing_keys(connection, database.master, now)
    await connection.close()
    minting = AccessTokens(keys, BASE_URL, BASE_URL)
    return [minting.mint(person.id, uuid7(), (), person.position, now, uuid7()) for person in people]
