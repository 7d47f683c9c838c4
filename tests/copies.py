"""Fresh databases, one for nearly every test: copies of one that is migrated, made and removed beside the tests."""

import asyncio
import itertools
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from api.embedded import Postgres
from events.connections import connect
from events.migrations.roles import ROLES, ensure_roles
from tests.support import Database

__all__ = ["Copies"]


class _Script:
    """Takes down what is executed where nothing is there yet, to be sent as one."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    async def execute(self, statement: str) -> None:
        self.statements.append(statement)

    async def fetchval(self, *_asked: object) -> None:
        return None


class Copies:
    """Copies of a database that nobody connects to. The next one is made, and those of before are dropped, by a thread."""

    def __init__(self, server: Postgres, template: Database) -> None:
        self._server = server
        self._template = template
        self._numbers = itertools.count(1)
        self._beside = ThreadPoolExecutor(1, "copies")
        self._next = self._beside.submit(self._made)
        self._dropped: list[Future[None]] = []

    async def take(self) -> Database:
        """A fresh one."""
        taken, self._next = self._next, self._beside.submit(self._made)
        return await asyncio.wrap_future(taken)

    def drop(self, database: Database) -> None:
        """Remove one that is needed no more, at some time."""
        self._dropped.append(self._beside.submit(self._server.drop, database.name))

    def end(self) -> None:
        """Wait for what was begun. Raises whatever went wrong."""
        self._beside.shutdown()
        self._next.result()
        for dropped in self._dropped:
            dropped.result()

    def _made(self) -> Database:
        name = f"test_{next(self._numbers)}"
        made = Database(self._server.create(name, self._template.name))
        asyncio.run(self._let_in(made))
        return made

    async def _let_in(self, made: Database) -> None:
        """The roles of its own: a copy knows the rights of those of the first one."""
        script: Any = _Script()
        await ensure_roles(script, made.name, made.secret)
        for role in ROLES:
            await script.execute(f"GRANT {self._template.name}_{role} TO {made.name}_{role}")
        owner = await connect(made.owner_url, "tests")
        await owner.execute(";".join(script.statements))
        await owner.close()
