"""Servers from Debian's packages, for tests of other versions than the embedded ones; the packages must be installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg

from api.ports import free_port
from api.processes import Account
from tests.children import OURS, started

__all__ = ["DebianPostgres", "debian_postgres", "debian_redis"]


def debian_postgres(version: int) -> Path | None:
    """Where the programs of a PostgreSQL version are, when it is installed."""
    folder = Path(f"/usr/lib/postgresql/{version}/bin")
    return folder if os.access(folder / "postgres", os.X_OK) else None


def debian_redis() -> Path | None:
    """Where the Redis server is, when it is installed."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


class DebianPostgres:
    """A PostgreSQL of another version, on a free port, in a temporary folder of its own, with trust on loopback."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        entry = pwd.getpwnam(self._user) if self._user else None
        self._account = Account(entry.pw_uid, entry.pw_gid) if entry else OURS
        self._folder = Path(tempfile.mkdtemp(prefix="muster-pg-"))
        if self._user:
            shutil.chown(self._folder, self._user)
        self.port = free_port()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> None:
        """Make it and start it; returns when it answers."""
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", "root")
        options = ["-p", str(self.port), "-k", str(self._folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with (self._folder / "log").open("ab") as log:
            program = str(self._programs / "postgres")
            self._child = started(
                [program, "-D", data, *options], signal.SIGQUIT, self._account, cwd=self._folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._child.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _answers(self) -> bool:
        program = str(self._programs / "pg_isready")
        asked = [program, "--quiet", "--host", "127.0.0.1", "--port", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def stop(self) -> None:
        """Stop it and remove its folder."""
        self._child.send_signal(signal.SIGQUIT)
        self._child.wait()
        shutil.rmtree(self._folder)

    async def create(self, database: str) -> str:
        """Make a database and an owner who may make roles; the owner's URL."""
        connection = await asyncpg.connect(f"postgresql://root@127.0.0.1:{self.port}/postgres")
        try:
            if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = 'muster'"):
                await connection.execute("CREATE ROLE muster LOGIN CREATEROLE PASSWORD 'muster'")
            await connection.execute(f'CREATE DATABASE "{database}" OWNER muster')
        finally:
            await connection.close()
        return f"postgresql://muster:muster@127.0.0.1:{self.port}/{database}"
