"""The servers that are measured: Muster and its peer as processes on one Postgres."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec import field as given
from msgspec.structs import fields

from api.embedded import Postgres, Valkey
from api.migrating import migrated
from api.own_servers import without_user
from api.ports import LOOPBACK
from settings import Settings, variable
from tests.api.site import environment_for, settings_for
from tests.benchmarks.busy import Meter
from tests.benchmarks.serving import PORT, Server, Serving, running, serving
from tests.support import Database

__all__ = ["BARE", "CRUD_SECRET", "House"]

BARE: Final = {
    **{variable(field.name): "none" for field in fields(Settings) if field.name.startswith("limit_")},
    "MUSTER_EVEN_ANSWERS_MILLISECONDS": "0",
    "MUSTER_LOG_LEVEL": "error",
}
"""Settings that switch off what can be switched off."""

CRUD_SECRET: Final = "a secret of the peer, of 32 bytes or more"


class House(Struct, frozen=True):
    """The servers that everyone shares, and how it is measured: so many rounds, each with windows of so many seconds."""

    postgres: Postgres
    valkey: Valkey
    folder: Path
    rounds: int
    seconds: float
    connections: int
    tell: Callable[[str], None]
    made: list[str] = given(default_factory=list)

    async def database(self, name: str, *, kept: bool = False) -> str:
        """The owner's URL of a new database; one of this name, from another run, goes first."""
        await asyncio.to_thread(self.postgres.drop, name)
        if not kept:
            self.made.append(name)
        return await asyncio.to_thread(self.postgres.create, name)

    def clear(self) -> None:
        """Drop the databases that nobody needs again, where the folder is kept."""
        for name in self.made:
            self.postgres.drop(name)

    async def muster(self, name: str, *, kept: bool = False) -> Database:
        """A new database for Muster, ready to be served from."""
        database = Database(await self.database(name, kept=kept))
        await migrated(settings_for(database))
        return database

    def crud(self, url: str) -> Server:
        """The peer on a database, with hashing taken out."""
        environment = {
            "CRUD_DATABASE_URL": urlsplit(url)._replace(scheme="postgresql+asyncpg").geturl(),
            "CRUD_SECRET_KEY": CRUD_SECRET,
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

    def worker(self, database: Database, name: str = "worker", *arguments: str) -> Server:
        """`muster worker`, by the benchmarks' own script where it is given arguments."""
        module = ("tests.benchmarks.muster_worker", *arguments) if arguments else ("api.cli", "worker")
        return Server(name, (sys.executable, "-m", *module), self.environment(database), "worker started")

    def environment(self, database: Database, **changes: str) -> dict[str, str]:
        """The settings of a process of Muster on a database."""
        return environment_for(
            database,
            MUSTER_DATABASE_URL=without_user(database.owner_url),
            MUSTER_REDIS_URL=self.valkey.url,
            **changes,
        )

    def _api(self, database: Database, module: Sequence[str], changes: Mapping[str, str]) -> Server:
        environment = self.environment(database, MUSTER_PORT=PORT, MUSTER_TRUSTED_PROXIES=LOOPBACK, **changes)
        return Server("muster", (sys.executable, "-m", *module), environment, "/readyz")

    @asynccontextmanager
    async def serving(self, server: Server) -> AsyncIterator[tuple[Serving, Meter]]:
        """A server, ready, and what measures how much everyone takes."""
        async with serving(server, self.folder) as process:
            yield process, self.meter(server=process.pid)

    @asynccontextmanager
    async def working(self, *servers: Server) -> AsyncIterator[list[int]]:
        """The process ids of workers, all of which have begun."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(running(server, self.folder)) for server in servers]

    def meter(self, **pids: int) -> Meter:
        """What measures how much these processes take, and the servers that everyone shares."""
        postgres, valkey = self.postgres._child, self.valkey._child
        assert postgres is not None
        assert valkey is not None
        return Meter({**pids, "Postgres": postgres.pid, "Valkey": valkey.pid})
