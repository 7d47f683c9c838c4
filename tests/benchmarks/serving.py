"""Servers that are measured, each a process of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from api.ports import free_port
from api.processes import Program, claim, failure, spawn
from tests.benchmarks.load import Unexpected, ask
from tests.benchmarks.requests import get

__all__ = ["PORT", "ROOT", "Server", "Serving", "running", "serving"]

PORT: Final = "PORT"
"""Stands for the port in a server's arguments and environment."""

ROOT: Final = Path(__file__).parents[2]
STARTS_WITHIN: Final = 30.0


class Server(Struct, frozen=True):
    """How a server is started, and what it answers with 200, or what stands in its log, once it is ready."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    ready: str


class Serving(Struct, frozen=True):
    """A server that answers on a port of the loopback address."""

    pid: int
    port: int


@asynccontextmanager
async def serving(server: Server, folder: Path) -> AsyncIterator[Serving]:
    """A server, ready, while the context is open. It ends with this process, whatever ends that.

    Its output goes to a file in the folder, and away with it.
    """
    port = free_port()
    async with _started(server, folder, port, lambda _log: _answers(port, server.ready)) as pid:
        yield Serving(pid, port)


@asynccontextmanager
async def running(server: Server, folder: Path) -> AsyncIterator[int]:
    """The process id of a server without a port, while the context is open: `ready` is what its log says when it is."""

    async def told(log: Path) -> bool:
        return server.ready.encode() in await asyncio.to_thread(log.read_bytes)

    async with _started(server, folder, 0, told) as pid:
        yield pid


@asynccontextmanager
async def _started(
    server: Server, folder: Path, port: int, ready: Callable[[Path], Awaitable[bool]]
) -> AsyncIterator[int]:
    program = Program(
        name=server.name,
        arguments=[str(port) if argument == PORT else argument for argument in server.arguments],
        environment={name: str(port) if value == PORT else value for name, value in server.environment.items()},
        folder=ROOT,
        log=folder / f"{server.name}.log",
        lock=folder / f"{server.name}.lock",
    )
    lock = claim(program.lock)
    assert lock is not None, f"{server.name} runs already"
    child = spawn(program, lock)
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not await ready(program.log):
            assert child.poll() is None, failure(program, child.returncode)
            assert time.monotonic() < deadline, f"{server.name} does not answer. Its log is {program.log}."
            await asyncio.sleep(0.05)
        yield child.pid
        assert child.poll() is None, failure(program, child.returncode)
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait, 20)
        program.log.unlink(missing_ok=True)


async def _answers(port: int, path: str) -> bool:
    try:
        await ask(port, get(path), 200)
    except (OSError, Unexpected):
        return False
    return True
