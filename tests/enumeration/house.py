"""A whole Muster of real processes for the measurement: PostgreSQL (durable), Valkey, a mail catcher, the API, a worker."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx

from api.embedded import Postgres, Valkey
from api.migrating import migrated
from api.ports import LOOPBACK, free_port
from settings import Settings, variable
from tests.api.site import environment_for, settings_for
from tests.support import Database, until

__all__ = ["House", "servers"]

ATTEMPTS: Final = {"sign_in_attempts": 5, "lock_minutes": 24 * 60}
"""Few attempts are soon made, and a lock outlasts the measurement."""
LIMITS: Final = {
    f"limit_{name}_by_address": "10000 per second" for name in ("sign_in", "registration", "reset", "verification")
}
"""All questions come from one client address, which is told about its limits, but meets none."""


class House:
    """The processes of a Muster on servers that are there."""

    def __init__(
        self, folder: Path, database: Database, redis_url: str, *, cheap: bool, settings: Mapping[str, str]
    ) -> None:
        self.database = database
        self.port = free_port()
        self._folder = folder
        self._mail_port = free_port()
        self._environment = environment_for(
            database,
            MUSTER_PORT=str(self.port),
            MUSTER_REDIS_URL=redis_url,
            MUSTER_SMTP_URL=f"smtp://{LOOPBACK}:{self._mail_port}",
            **{variable(name): str(value) for name, value in {**ATTEMPTS, **LIMITS, **settings}.items()},
        )
        self._cheap = cheap
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def settings(self) -> Settings:
        """The settings of its processes, as far as commands ask for them."""
        return settings_for(self.database, **ATTEMPTS)

    async def prepare(self) -> None:
        """Bring the database up to date."""
        await migrated(self.settings)

    async def open(self) -> None:
        """Start the processes, and come back when the API is ready and the worker has caught up with the log."""
        self.start_mail()
        self._start("api", "-m", *(["tests.enumeration.cheaply"] if self._cheap else ["api.cli", "api"]))
        self._start("worker", "-m", "api.cli", "worker")
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self.port}") as client:

            async def ready() -> bool:
                self._check()
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready)
        await until(self.settled, 1_800, pause=1)

    async def settled(self) -> bool:
        """Whether the worker has taken every event and sent every mail."""
        self._check()
        rows = await self.database.query(
            "SELECT (SELECT count(*) FROM checkpoints) AS consumers, (SELECT count(*) FROM checkpoints WHERE position < "
            "(SELECT max(notification_id) FROM stored_events)) AS behind, "
            "(SELECT count(*) FROM deliveries WHERE status = 'waiting') AS waiting"
        )
        return bool(rows[0]["consumers"]) and not rows[0]["behind"] and not rows[0]["waiting"]

    def start_mail(self) -> None:
        """Take mail from now on."""
        self._start("mail", "-m", "api.mailcatcher", "--port", str(self._mail_port), str(self._folder / "mail"))

    def stop_mail(self) -> None:
        """Refuse mail from now on."""
        self._end("mail")

    def close(self) -> None:
        """End all processes, the last that was started first."""
        for name in list(reversed(self._children)):
            self._end(name)

    def _start(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, *arguments], env=self._environment, stdout=log, stderr=log
            )

    def _end(self, name: str) -> None:
        child = self._children.pop(name)
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _check(self) -> None:
        for name, child in self._children.items():
            assert child.poll() is None, (self._folder / f"{name}.log").read_text()[-4000:]


@contextmanager
def servers(folder: Path, *, cheap: bool, settings: Mapping[str, str]) -> Iterator[House]:
    """A Muster on servers of its own below a folder; its processes are not started yet. All end with the context."""
    with ExitStack() as stack:
        postgres, valkey = Postgres(folder), Valkey(folder)
        for server in (postgres, valkey):
            server.start()
            stack.callback(server.stop)
        made = House(folder, Database(postgres.url), valkey.url, cheap=cheap, settings=settings)
        stack.callback(made.close)
        yield made
