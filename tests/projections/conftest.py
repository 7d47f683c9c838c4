"""What tests of projections begin from: a log to write to, and a projector that tests step by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from events.committer import Committer
from events.connections import connect, open_pool
from events.data_keys import DataKeys
from projections.checkpoints import release, take
from projections.engine import Projector
from projections.read_model import ReadModel
from projections.rows import Rows
from projections.users import USERS
from tests.projections.log import Log
from tests.projections.serving import serve
from tests.support import Database


@pytest.fixture
def log(database: Database, committer: Committer) -> Log:
    return Log(database, committer)


@pytest.fixture
async def projector_pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database.url("projector"), "projector", 8)
    yield pool
    await pool.close()


@pytest.fixture
async def reader_pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database.url("reader"), "reader", 4)
    yield pool
    await pool.close()


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[asyncpg.Connection]:
    made = await connect(database.url("projector"), "projector")
    yield made
    await made.close()


class View:
    """A read model on the test's database, moved by hand."""

    def __init__(self, database: Database, connection: asyncpg.Connection) -> None:
        self.database = database
        self.connection = connection

    async def set_up(self, model: ReadModel[Any] = USERS, partitions: int = 1) -> None:
        """Make the table and the checkpoints, and let it serve."""
        self.model = model
        self.partitions = partitions
        await serve(self.connection, model, partitions, self.database.role("reader"))

    async def catch_up(self, most_events: int = 5_000, steps: int | None = None, projector: Any = None) -> None:
        """Bring all partitions to the log's end, or so many steps on, as a fresh worker would."""
        projector = projector or Projector(self.model, DataKeys(self.database.master), most_events=most_events)
        for partition in range(self.partitions):
            checkpoint = await take(self.connection, self.model.consumer, partition)
            assert checkpoint
            await projector.begin(self.connection, checkpoint)
            behind, left = True, steps
            while behind and left != 0:
                step = await projector.step(self.connection, checkpoint)
                checkpoint, behind = step.checkpoint, step.behind
                left = None if left is None else left - 1
            await release(self.connection, self.model.consumer, partition)

    async def rows(self) -> dict[Any, Any]:
        """All rows, by their keys."""
        rows = await self.database.query(f"SELECT * FROM views.{self.model.consumer}")
        return {row[self.model.key]: row for row in rows}

    async def whole(self, keys: Collection[UUID]) -> dict[UUID, list[Any]]:
        """All rows of some keys."""
        return await Rows(self.model).whole(self.connection, keys)

    async def all_of(self, key: UUID) -> list[Any]:
        """All rows of one key."""
        return (await self.whole([key])).get(key, [])

    async def positions(self) -> list[int]:
        """Where the partitions stand."""
        rows = await self.database.query(
            "SELECT position FROM checkpoints WHERE consumer = $1 ORDER BY partition", self.model.consumer
        )
        return [row["position"] for row in rows]

    async def parked(self) -> list[tuple[int, str]]:
        """What was laid aside, and why."""
        rows = await self.database.query("SELECT position, cause FROM parked_events ORDER BY position")
        return [(row["position"], row["cause"]) for row in rows]


@pytest.fixture
async def view(database: Database, connection: asyncpg.Connection) -> View:
    made = View(database, connection)
    await made.set_up()
    return made


@pytest.fixture
async def partitioned(database: Database, connection: asyncpg.Connection) -> Callable[..., Awaitable[View]]:
    """Makes a view with so many partitions, of the users or another model."""

    async def partitioned(partitions: int, model: ReadModel[Any] = USERS) -> View:
        made = View(database, connection)
        await made.set_up(model, partitions)
        return made

    return partitioned
