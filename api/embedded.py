"""A PostgreSQL 18 and a Valkey of our own, from wheels, each in its folder below a data folder."""

import asyncio
import os
import secrets
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import asyncpg

from api.cluster import make_cluster, reachable, serves
from api.installation import account_for, postgres_programs, valkey_server
from api.ports import LOOPBACK, free_port
from api.processes import CannotStart, Program, failure, make_folders, spawn, wait_for_claim

__all__ = ["Postgres", "Server", "Valkey"]

T = TypeVar("T")


class Server(ABC):
    """A server in a data folder: `prepare` it, run its `program`, ask whether it is `ready`; or `start` and `stop` it."""

    data: Path
    program: Program
    url: str

    _child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make what the program needs; to be done before each start, by whoever holds its lock. Raises `CannotStart`."""

    @abstractmethod
    async def ready(self) -> bool:
        """Whether it answers a real question now; raises `CannotStart` when it never will."""

    def start(self, patience: float = 30) -> None:
        """Run it as a child of this process and come back when it answers. Call it from the main thread.

        It ends with this process, whatever ends that. Raises `CannotStart` with the last lines of its log.
        """
        make_folders(self.data)
        lock = wait_for_claim(self.program.lock, 10)
        try:
            self.prepare()
        except BaseException:
            os.close(lock)
            raise
        self._child = spawn(self.program, lock)
        try:
            self._await_answer(self._child, time.monotonic() + patience)
        except BaseException:
            self.stop()
            raise

    def _await_answer(self, child: subprocess.Popen[bytes], deadline: float) -> None:
        while not _finished(self.ready()):
            if (code := child.poll()) is not None:
                raise CannotStart(failure(self.program, code))
            if time.monotonic() > deadline:
                raise CannotStart(f"{self.program.name} does not answer. Its log is {self.program.log}.")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in good order, or by force when that takes too long, and come back when it has ended. Safe to repeat."""
        if (child := self._child) is None:
            return
        for asked in (self.program.stop, self.program.hasten, signal.SIGKILL):
            child.send_signal(asked)
            try:
                child.wait(self.program.grace)
                break
            except subprocess.TimeoutExpired:
                continue
        self._child = None


def _finished(question: Coroutine[Any, Any, T]) -> T:
    """The answer, found on a loop in another thread, so that callers may or may not have one of their own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, question).result()


class Postgres(Server):
    """A PostgreSQL 18 that listens on the loopback address only and wants passwords (SCRAM).

    The role `muster` owns the database `muster` and may make roles; `postgres` is the superuser. There are no Unix
    sockets: a data folder may have any path, and a crash leaves nothing elsewhere. With `durable=False`, for tests, a
    machine that fails (not a server that is killed) loses what was committed, and passwords are hashed cheaply.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int | None = None,
        owner_password: str | None = None,
        superuser_password: str | None = None,
        durable: bool = True,
        connections: int = 200,
    ) -> None:
        self.data = data = data.absolute()
        self.port = port or free_port()
        self._folder = data / "postgres"
        self._owner_password = owner_password or secrets.token_urlsafe(24)
        self._superuser_password = superuser_password or secrets.token_urlsafe(24)
        self._durable = durable
        self._new = False
        account = account_for(self._folder)
        self._programs = postgres_programs(account)
        options = [
            f"port={self.port}",
            f"listen_addresses={LOOPBACK}",
            "unix_socket_directories=",
            "logging_collector=off",
            f"max_connections={connections}",
        ]
        if not durable:
            options += ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "scram_iterations=1"]
        self.program = Program(
            name="postgres",
            arguments=[
                *(str(self._programs / "postgres"), "-D", reachable(self._folder, account)),
                *(argument for option in options for argument in ("-c", option)),
            ],
            environment={"TZ": "UTC", "LC_ALL": "C"},
            folder=self._folder,
            log=data / "logs" / "postgres.log",
            lock=data / "run" / "postgres.lock",
            stop=signal.SIGINT,
            hasten=signal.SIGQUIT,
            orphan=signal.SIGINT,
            grace=20,
            account=account,
        )
        self.url = self._url("muster")

    def _url(self, database: str) -> str:
        return f"postgresql://muster:{quote(self._owner_password, safe='')}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the database cluster unless it is there; a half-made one is made anew."""
        self._new = make_cluster(self.program, self._programs, self._superuser_password, durable=self._durable)

    async def ready(self) -> bool:
        """Whether the owner's question is answered; makes the owner and the database when they are not there yet."""
        if not serves(self._folder):
            return False
        try:
            if self._new:
                await self._make_owner()
                self._new = False
            await self._run("muster", self._owner_password, "muster", "SELECT 1")
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError):
            await self._make_owner()
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        return True

    async def _make_owner(self) -> None:
        make_or_change = """
            DO $do$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'muster') THEN CREATE ROLE muster; END IF;
            END $do$"""
        quoted = self._owner_password.replace("'", "''")
        try:
            await self._as_superuser(make_or_change, f"ALTER ROLE muster LOGIN CREATEROLE PASSWORD '{quoted}'")
            await self._as_superuser("CREATE DATABASE muster OWNER muster")
        except asyncpg.DuplicateDatabaseError:
            return
        except asyncpg.InvalidPasswordError:
            raise CannotStart(
                f"The passwords in secrets.json are not those of {self._folder}: bring back the secrets.json that "
                "belongs to it, or choose another folder with --data."
            ) from None

    def create(self, database: str, template: str = "template1") -> str:
        """Make another database, a copy of `template` (which nobody may be using), and give the owner's URL of it."""
        # Files are copied in half the time that the log takes to carry them.
        statement = f'CREATE DATABASE "{database}" OWNER muster TEMPLATE "{template}" STRATEGY file_copy'
        _finished(self._as_superuser(statement))
        return self._url(database)

    def drop(self, database: str) -> None:
        """Remove a database and end its connections; nothing happens when it is not there."""
        _finished(self._as_superuser(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))

    async def _as_superuser(self, *statements: str) -> None:
        await self._run("postgres", self._superuser_password, "postgres", *statements)

    async def _run(self, user: str, password: str, database: str, *statements: str) -> None:
        connection = await asyncpg.connect(
            host=LOOPBACK, port=self.port, user=user, password=password, database=database, ssl=False, timeout=10
        )
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


class Valkey(Server):
    """A Valkey that listens on the loopback address only, wants a password, writes every change to a file, drops nothing."""

    def __init__(self, data: Path, *, port: int | None = None, password: str | None = None) -> None:
        self.data = data = data.absolute()
        self.port = port or free_port()
        self._password = password or secrets.token_urlsafe(24)
        self._folder = data / "valkey"
        self.program = Program(
            name="valkey",
            arguments=[str(valkey_server()), "./valkey.conf"],
            environment={"TZ": "UTC", "LC_ALL": "C"},
            folder=self._folder,
            log=data / "logs" / "valkey.log",
            lock=data / "run" / "valkey.lock",
            orphan=signal.SIGTERM,
        )
        self.url = f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Write its configuration: in a file, since anyone may read a program's arguments."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        configuration = self._folder / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind {LOOPBACK}\nport {self.port}\nrequirepass {self._password}\ndir .\ndaemonize no\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'
        )

    async def ready(self) -> bool:
        """Whether it takes the password and answers PING."""
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
            answers = [await asyncio.wait_for(reader.readline(), 5) for _ in range(2)]
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()
        return answers == [b"+OK\r\n", b"+PONG\r\n"]
