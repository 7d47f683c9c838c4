"""Who builds ranges of keys: this process, or processes beside it, told on pipes, which end when this one does.

In one process two build by turns: while one folds, the database looks up events or takes in rows for the other.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from events.connections import connect
from events.keys import local_keyring
from projections.anew import KeyRange, Unfoldable
from projections.building import Builder
from projections.read_model import ReadModel
from projections.serving import builder_name

__all__ = ["Build", "BuilderLost", "Builds", "Refused", "builders", "here"]

PATIENCE_SECONDS: Final = 5.0
BY_TURNS: Final = 2


class BuilderLost(Exception):
    """A process that built rows has ended before it was done."""


class Build(Struct, frozen=True):
    """What is to be built, and with what: the database as its projector, the master keys, and the log up to a position."""

    url: str
    master_keys: list[bytes]
    name: str
    version: int
    table: str
    until: int
    discarded: list[int]

    def __repr__(self) -> str:
        return f"Build of {self.table}"


class Refused(Struct, frozen=True):
    """A process has met an event that the model cannot take."""

    position: int
    key: UUID
    cause: str


class Builds(Protocol):
    """Builds one range of keys at a time."""

    async def build(self, keys: KeyRange) -> int:
        """How many rows there are. Raises `Unfoldable`, `BuilderLost`, and asyncpg's errors."""
        ...


class _Here:
    def __init__(self, builder: Builder[Any], connection: Any) -> None:
        self._builder = builder
        self._connection = connection

    async def build(self, keys: KeyRange) -> int:
        return await self._builder.build(self._connection, keys.after, keys.until)


@asynccontextmanager
async def here(build: Build, model: ReadModel[Any]) -> AsyncIterator[Builds]:
    """A builder in this process, whose events wait for it."""
    connection = await connect(build.url, builder_name(build.table))
    try:
        master = local_keyring(build.master_keys)
        builder = Builder(model.on(build.table), master, until=build.until, discarded=frozenset(build.discarded))
        yield _Here(builder, connection)
    finally:
        await connection.close()


class _Beside:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def build(self, keys: KeyRange) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(msgspec.json.encode(keys) + b"\n")
            await stdin.drain()
            answer = await stdout.readline()
        except ConnectionError:
            answer = b""
        if not answer:
            raise BuilderLost(f"A process that built rows ended with {await self._process.wait()}.")
        told = msgspec.json.decode(answer, type=int | Refused)
        if isinstance(told, Refused):
            raise Unfoldable(told.position, told.key, told.cause)
        return told


@asynccontextmanager
async def beside(build: Build) -> AsyncIterator[Builds]:
    """A builder in a process of its own, in a session of its own, so that Ctrl-C reaches it through this one only."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "projections.builder",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(build) + b"\n")
        yield _Beside(process)
        process.stdin.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def builders(build: Build, model: ReadModel[Any], processes: int) -> AsyncIterator[list[Builds]]:
    """So many processes that build; with none of them, it is done here."""
    made = [beside(build) for _ in range(processes)] or [here(build, model) for _ in range(BY_TURNS)]
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(one) for one in made]
