"""Keeps processes running: starts them, starts again what dies and says why, gives up on what keeps dying, stops all."""

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from api.processes import Program, cause, claiming, failure, last_lines, size, spawn

__all__ = ["GaveUp", "Part", "Supervisor"]


class GaveUp(Exception):
    """A process keeps dying, never answers or has failed at what it does once: says which, and how its log ends."""


def _nothing() -> None:
    pass


class Part(NamedTuple):
    """A process to keep running."""

    program: Program
    ready: Callable[[], Awaitable[bool]]
    """Whether it does its work now."""
    prepare: Callable[[], None] = _nothing
    """What must be done before each start, while no earlier process of this part is left."""
    patience: float = 60
    """Seconds within which it has to be ready."""


class Running(NamedTuple):
    program: Program
    child: subprocess.Popen[bytes]
    ended: asyncio.Task[int]


class Supervisor:
    """Runs a story that keeps parts running, until a signal, a part that keeps dying, or the story's own error ends it."""

    MOST_DEATHS = 5
    WITHIN = 30.0

    def __init__(self, tell: Callable[[str], None], stopping: Sequence[Sequence[str]]) -> None:
        """`stopping` names the parts in the order in which they are stopped; those of one group stop together."""
        self.tell = tell
        self._stopping = stopping
        self._running: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hasten = asyncio.Event()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each part that runs now."""
        return {name: running.child.pid for name, running in self._running.items()}

    async def run(self, story: Coroutine[Any, Any, None]) -> None:
        """Until SIGINT, SIGTERM or SIGHUP; then every process has ended. A second signal hastens that.

        Raises what ended it otherwise: `GaveUp`, or the story's error.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                loop.add_signal_handler(number, self._asked_to_stop)
        self._follow(story)
        try:
            await self._end
        finally:
            await self._stop()

    def _asked_to_stop(self) -> None:
        if self._end.done():
            self._hasten.set()
        else:
            self.tell("Stopping. Once more makes it quick.")
            self._end.set_result(None)

    def _follow(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._followed)

    def _followed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not self._end.done():
            self._end.set_exception(error)

    async def keep(self, part: Part) -> None:
        """Start the part and come back when it is ready for the first time; it is kept running from then on."""
        ready = asyncio.Event()
        self._follow(self._keep(part, ready))
        await ready.wait()

    async def _keep(self, part: Part, ready: asyncio.Event) -> None:
        program = part.program
        deaths: deque[float] = deque(maxlen=self.MOST_DEATHS)
        failures = 0
        while True:
            log_before = size(program.log)
            ended = (await self._start(program, part.prepare)).ended
            if await self._is_ready(part, ended):
                if ready.is_set():
                    self.tell(f"{program.name} is back.")
                ready.set()
                failures = 0
            else:
                failures += 1
            code = await _code(ended)
            log = last_lines(program.log, since=log_before)
            why = f"{program.name} {cause(code)}" + ("; its last lines:" + _indented(log) if log else ".")
            deaths.append(time.monotonic())
            recent = sum(1 for death in deaths if deaths[-1] - death < self.WITHIN)
            if self.MOST_DEATHS in (recent, failures):
                raise GaveUp(f"{program.name} keeps dying, so everything is stopped. The last time, {why}")
            self.tell(f"{why}\n{program.name} is started again.")
            await asyncio.sleep(0.1 * 2 ** (recent - 1))

    async def _is_ready(self, part: Part, ended: asyncio.Task[int]) -> bool:
        deadline = time.monotonic() + part.patience
        while not ended.done():
            if await part.ready() and not ended.done():
                return True
            if time.monotonic() > deadline:
                log = _indented(last_lines(part.program.log))
                raise GaveUp(
                    f"{part.program.name} is not ready after {part.patience:.0f} seconds; its last lines:{log}"
                )
            await asyncio.wait({ended}, timeout=0.02)
        return False

    async def once(self, program: Program) -> bytes:
        """Run a program to its end and give what it printed. Raises `GaveUp` when it fails."""
        with tempfile.TemporaryFile() as printed:
            code = await _code((await self._start(program, stdout=printed.fileno())).ended)
            del self._running[program.name]
            if code:
                raise GaveUp(failure(program, code))
            printed.seek(0)
            return printed.read()

    async def _start(
        self, program: Program, prepare: Callable[[], None] = _nothing, *, stdout: int | None = None
    ) -> Running:
        lock = await _claimed(program)
        try:
            await asyncio.to_thread(prepare)
        except BaseException:
            os.close(lock)
            raise
        child = spawn(program, lock, stdout=stdout)
        running = self._running[program.name] = Running(program, child, asyncio.create_task(_ended(child)))
        return running

    async def _stop(self) -> None:
        """End what was started: in order, in good order if it can be, for certain."""
        while self._tasks:  # more than once: asyncio.wait_for can lose a cancellation (Python 3.11)
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=1)
        named = {name for group in self._stopping for name in group}
        for group in ([name for name in self._running if name not in named], *self._stopping):
            await asyncio.gather(*(self._stop_one(name) for name in group if name in self._running))

    async def _stop_one(self, name: str) -> None:
        program, child, ended = self._running.pop(name)
        hastened = asyncio.create_task(self._hasten.wait())
        for asked, grace in ((program.stop, program.grace), (program.hasten, 3), (signal.SIGKILL, 3)):
            child.send_signal(asked)
            hastening = {hastened} if asked is program.stop else set()
            await asyncio.wait({ended} | hastening, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                break
            if not self._hasten.is_set():
                self.tell(f"{name} has not ended within {grace:.0f} seconds, so it is forced to.")
        hastened.cancel()
        os.close(await _claimed(program))


async def _claimed(program: Program) -> int:
    """The program's lock, when all that earlier processes of it have left behind has ended, or else been killed."""
    for lock in claiming(program.lock, program.grace):
        if lock is not None:
            return lock
        await asyncio.sleep(0.01)
    raise AssertionError("claiming ends with a lock or an error")


async def _ended(child: subprocess.Popen[bytes]) -> int:
    """The return code, when it has ended; what it has left in its process group is killed."""
    try:
        fd = os.pidfd_open(child.pid)
    except (AttributeError, OSError):  # not Linux, or not allowed in this container
        while child.poll() is None:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.05)
    else:
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        loop.add_reader(fd, seen.set)
        try:
            await seen.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)
    # Nobody has waited for it yet where there is a pidfd, so nobody else can have got its number.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


async def _code(ended: asyncio.Task[int]) -> int:
    """Its result; whoever waits for it may be cancelled and it may not, since stopping waits for it as well."""
    return await asyncio.shield(ended)


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"\n    {line}" for line in lines)
