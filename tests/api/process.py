"""The API as a process of its own."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx

from api.own_servers import without_user
from api.ports import free_port
from tests.api.site import environment_for
from tests.children import started
from tests.support import Database

__all__ = ["Process"]


class Process:
    """`muster api`, and what it logs."""

    def __init__(self, database: Database, log: Path, **changes: str) -> None:
        self.port = free_port()
        self.log = log
        self.environment = environment_for(
            database, MUSTER_PORT=str(self.port), MUSTER_DATABASE_URL=without_user(database.owner_url), **changes
        )

    def start(self) -> None:
        """Start it, and come back at once."""
        with self.log.open("ab") as log:
            self.child = started([sys.executable, "-m", "api.cli", "api"], env=self.environment, stdout=log, stderr=log)

    def end(self) -> None:
        """Kill it."""
        self.child.kill()
        self.child.wait()

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Whoever asks it."""
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=20, **options)

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Come back when it is ready."""
        for _ in range(400):
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.child.poll() is None, self.log.read_text()
            await asyncio.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]
