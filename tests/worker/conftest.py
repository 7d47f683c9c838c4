"""What tests of workers begin from: worker processes that can be killed, a log to write to, and a mail server that counts."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from api.embedded import Postgres, Valkey
from events.committer import Committer
from events.connections import connect
from events.migrations.upgrade import migrate
from projections.users import USERS
from tests.children import started
from tests.projections.log import Log
from tests.projections.mail import Mail
from tests.support import Database, until

WORKER = "from settings import load; from projections.worker import main; main(load())"
AT_ONCE_SECONDS = 4
"""Interpreters end slowly on a busy machine; an answer that does not come is waited for five seconds or longer."""


@pytest.fixture
async def mail() -> AsyncIterator[Mail]:
    made = Mail()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def log(database: Database, committer: Committer) -> Log:
    return Log(database, committer)


class Workers:
    """Worker processes on one database."""

    def __init__(self, database: Database, redis_url: str, mail: Mail, log: BinaryIO) -> None:
        self.database = database
        self.children: list[subprocess.Popen[bytes]] = []
        self._log = log
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")},
            "MUSTER_ENVIRONMENT": "development",
            "MUSTER_DATABASE_URL": database.owner_url,
            "MUSTER_REDIS_URL": redis_url,
            "MUSTER_SMTP_URL": mail.url,
            "MUSTER_BASE_URL": "http://127.0.0.1:8000",
            "MUSTER_SECRET": base64.urlsafe_b64encode(database.secret).decode(),
            "MUSTER_MASTER_KEY": base64.urlsafe_b64encode(database.master_key).decode(),
        }

    def start(self, **settings: Any) -> subprocess.Popen[bytes]:
        """One more worker; settings by their names."""
        environment = self._environment | {f"MUSTER_{name.upper()}": str(value) for name, value in settings.items()}
        child = started([sys.executable, "-c", WORKER], env=environment, stdout=self._log, stderr=self._log)
        self.children.append(child)
        return child

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        """SIGKILL."""
        child.send_signal(signal.SIGKILL)
        child.wait()

    async def stop(self, child: subprocess.Popen[bytes]) -> float:
        """SIGTERM; how many seconds it took to end, while the mail server goes on answering it."""
        begun = time.monotonic()
        child.terminate()
        assert await asyncio.to_thread(child.wait, 10) == 0
        return time.monotonic() - begun

    async def stop_at_once(self, child: subprocess.Popen[bytes]) -> None:
        """SIGTERM; it must end without waiting for what may never come."""
        assert (took := await self.stop(child)) < AT_ONCE_SECONDS, took

    async def reach(self, position: int, seconds: float = 20) -> None:
        """Return once the view that serves has reached a position; a table that is still built may have before it serves."""

        async def there() -> bool:
            rows = await self.database.query(
                "SELECT min(position) AS position FROM checkpoints JOIN read_models ON serving = consumer "
                "WHERE name = $1 AND version = $2",
                USERS.name,
                USERS.version,
            )
            return (rows[0]["position"] or 0) >= position

        await until(there, seconds)

    async def rows(self) -> dict[Any, Any]:
        """The users view, by id."""
        return {row["id"]: row for row in await self.database.query("SELECT * FROM views.users_v4")}


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[BinaryIO]:
    """Where workers log; shown when the test fails."""
    path = tmp_path / "workers.log"
    with path.open("wb") as file:
        yield file
    sys.stdout.write(path.read_text())


@pytest.fixture
def workers(database: Database, valkey: Valkey, mail: Mail, logged: BinaryIO) -> Iterator[Workers]:
    made = Workers(database, valkey.url, mail, logged)
    yield made
    for child in made.children:
        if child.poll() is None:
            made.kill(child)


class Mortal:
    """A durable database that can be killed, and workers on it."""

    def __init__(self, postgres: Postgres, workers: Workers, log: Log) -> None:
        self.postgres, self.workers, self.log = postgres, workers, log
        self.database = workers.database

    def crash(self) -> None:
        """SIGKILL to the server, which can be started again."""
        child = self.postgres._child
        assert child is not None
        child.kill()
        child.wait()
        self.postgres._child = None


@pytest.fixture
async def mortal(valkey: Valkey, mail: Mail, logged: BinaryIO, tmp_path: Path) -> AsyncIterator[Mortal]:
    postgres = Postgres(tmp_path / "server")
    postgres.start()
    database = Database(postgres.url)
    await migrate(postgres.url, database.secret)
    committer = Committer(lambda: connect(database.url("writer"), "committer"))
    await committer.start()
    workers = Workers(database, valkey.url, mail, logged)
    yield Mortal(postgres, workers, Log(database, committer))
    for child in workers.children:
        workers.kill(child)
    if postgres._child is None:
        postgres.start()
    await committer.stop()
    postgres.stop()
