"""Servers from Debian's packages, for tests of other versions than the embedded ones; the packages must be installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import asyncpg

from api.ports import free_port

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
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-D", data, "-o", options, "-w", "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        """Stop it and remove its folder."""
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")
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
