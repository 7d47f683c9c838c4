"""What tests begin from: real servers in temporary folders, fresh databases, and given / when / then."""

import asyncio
import gc
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import structlog

from api.embedded import Postgres, Valkey
from commands.passwords import Hasher
from events.committer import Committer
from events.connections import connect, open_pool
from events.migrations.upgrade import migrate
from tests.copies import Copies
from tests.debian import DebianPostgres, debian_postgres
from tests.hashes import cheap_hashes
from tests.memory import passing_folder
from tests.muster import Muster
from tests.support import Database, Given, History
from tests.turns import take_part


def pytest_collection_finish() -> None:
    """Look no more through what was imported and collected for garbage: it took these processes a fifth of their time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes that tests start need not compile everything each time
    os.environ["PGSSLMODE"] = "disable"  # nor ask each time whether a server speaks TLS that does not
    os.environ["PYTHONPATH"] = str(Path(__file__).with_name("absent"))  # nor import what only benchmarks need
    take_part(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Folders are run by two processes, each with servers of its own; for files alone a second one is not worth its start."""
    return 0 if all(Path(argument.partition("::")[0]).is_file() for argument in config.args) else 2


@pytest.fixture(scope="session", autouse=True)
def logged_past_output() -> None:
    """What is logged in this process goes past whoever reads the output of a command that is tested in it."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))


@pytest.fixture(autouse=True)
def hashes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Passwords are hashed at a thousandth of the cost, but where a test is about that cost (`real_hashes`)."""
    with nullcontext() if request.node.get_closest_marker("real_hashes") else cheap_hashes():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of the test run's own; what is tested of durability starts a durable one for itself."""
    with passing_folder() as folder:
        server = Postgres(folder, durable=False)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgres15() -> Iterator[DebianPostgres]:
    """The oldest PostgreSQL that we work on, from Debian's packages; skips where it is not installed."""
    programs = debian_postgres(15)
    if programs is None:
        pytest.skip("PostgreSQL 15 is not installed (Debian's package postgresql-15)")
    server = DebianPostgres(programs)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey of the test run's own."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def migrated(postgres: Postgres) -> Database:
    """A migrated database that nobody connects to: the others are copies of it."""
    made = Database(await asyncio.to_thread(postgres.create, "migrated"))
    await migrate(made.owner_url, made.secret)
    return made


@pytest.fixture(scope="session")
def copies(postgres: Postgres, migrated: Database) -> Iterator[Copies]:
    """Fresh migrated databases on the test run's server."""
    made = Copies(postgres, migrated)
    yield made
    made.end()


@pytest.fixture(scope="session")
def make_database(copies: Copies) -> Callable[[], Any]:
    """Makes a fresh migrated database on the test run's server."""
    return copies.take


@pytest.fixture
async def database15(postgres15: DebianPostgres) -> Database:
    """A fresh migrated database on PostgreSQL 15."""
    made = Database(await postgres15.create(f"test_{next(_numbers)}"))
    await migrate(made.owner_url, made.secret)
    return made


@pytest.fixture
async def database(copies: Copies) -> AsyncIterator[Database]:
    """A fresh migrated database for one test."""
    made = await copies.take()
    async with made.kept():
        yield made
    copies.drop(made)


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    """A committer on the test's database."""
    made = Committer(lambda: connect(database.url("writer"), "committer"))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def writer_pool(database: Database) -> AsyncIterator[Any]:
    """Connections of the writer role to the test's database."""
    pool = await open_pool(database.url("writer"), "writer", 4)
    yield pool
    await pool.close()


@pytest.fixture
def history() -> type[History]:
    """Makes histories of streams."""
    return History


@pytest.fixture
def given() -> Callable[..., Given]:
    """The history of a user, on which a command decides: `given(registered).when(command).then(fact)`."""
    return lambda *events: Given(History().of(*events))


@pytest.fixture
async def muster(database: Database, writer_pool: Any, committer: Committer) -> AsyncIterator[Muster]:
    hasher = Hasher(threads=2, queue_size=200)
    yield Muster(database, writer_pool, committer, hasher)
    hasher.close()
