"""Child processes that end with their parent, and locks that tell when one of them, children included, has ended."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

__all__ = [
    "Account",
    "CannotStart",
    "Program",
    "cause",
    "claim",
    "claiming",
    "failure",
    "last_lines",
    "make_folders",
    "sitters",
    "size",
    "spawn",
    "wait_for_claim",
]

LIFELINE = Path(__file__).with_name("lifeline.py")


class CannotStart(Exception):
    """Something that the user has to change before Muster can start: says what, and what to do."""


class Account(NamedTuple):
    """A user and group of the system, by number."""

    uid: int
    gid: int


class Program(NamedTuple):
    """How a child process is started and ended."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    lock: Path
    stop: signal.Signals = signal.SIGTERM
    """Asks it to end in good order."""
    hasten: signal.Signals = signal.SIGKILL
    """Makes it end at once."""
    orphan: signal.Signals = signal.SIGKILL
    """What it is sent when its parent has ended without ending it."""
    grace: float = 10
    """Seconds in which it may end in good order."""
    account: Account | None = None
    """Whose rights it has; the parent's when None."""


def spawn(
    program: Program, lock: int, *, stdin: IO[bytes] | None = None, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, its output appended to its log; `lock` passes into its hands and is closed here.

    Call it from the main thread: Linux takes the end of the thread that started a child for the end of its parent.
    """
    pipe = _lifeline()
    account = program.account or Account(-1, -1)
    try:
        with program.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the arguments are ours
                [
                    *(sys.executable, "-I", "-S", str(LIFELINE)),
                    *map(str, (os.getpid(), int(program.orphan), account.uid, account.gid, pipe)),
                    *program.arguments,
                ],
                cwd=program.folder,
                env=dict(program.environment),
                stdin=stdin or subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                pass_fds=(lock, pipe),
                start_new_session=True,
            )
    finally:
        os.close(lock)


_pipe: tuple[int, int] | None = None


def _lifeline() -> int:
    """The end to hand to children of a pipe that closes when this process ends."""
    global _pipe
    if _pipe is None:
        _pipe = os.pipe()
    return _pipe[0]


def make_folders(data: Path) -> None:
    """The data folder, and in it one for logs and one for locks; nobody else may look into it."""
    for folder in (data, data / "logs", data / "run"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def claim(path: Path) -> int | None:
    """An open descriptor that holds the lock on `path`, or None while others do.

    The lock (flock(2)) belongs to the open file: whoever inherits it holds it, and it ends with the last of them. So a
    free lock says that a process and all that it started have ended, which a process id in a file cannot say.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd


def claiming(path: Path, patience: float) -> Iterator[int | None]:
    """None as long as the lock on `path` is held by processes that an earlier start has left, then the lock.

    They get `patience` seconds to end, then they are killed. Raises `CannotStart` when even that does not end them.
    """
    deadline = time.monotonic() + patience
    killed = False
    while (lock := claim(path)) is None:
        if time.monotonic() > deadline:
            pids = sitters(path)
            if killed:
                raise CannotStart(
                    f"Processes of an earlier start hold {path} and do not end, even by SIGKILL: "
                    f"{', '.join(map(str, pids)) or 'none that can be seen'}. End them, or restart the machine."
                )
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed, deadline = True, time.monotonic() + 5
        yield None
    yield lock


def wait_for_claim(path: Path, patience: float) -> int:
    """The lock that `claiming` ends with."""
    for lock in claiming(path, patience):
        if lock is not None:
            return lock
        time.sleep(0.01)
    raise AssertionError("claiming ends with a lock or an error")


def sitters(path: Path) -> list[int]:
    """The processes that have `path` open."""
    if not Path("/proc/self/fd").exists():
        told = subprocess.run(["lsof", "-t", "--", path], capture_output=True, check=False)  # noqa: S603, S607 - macOS has no /proc
        return [int(pid) for pid in told.stdout.split() if int(pid) != os.getpid()]
    file = os.path.realpath(path)
    pids = (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal())
    return [pid for pid in pids if pid != os.getpid() and file in _opened(pid)]


def _opened(pid: int) -> set[str]:
    """What the descriptors of a process stand for; nothing when it has ended or is not ours to look at."""
    files = set()
    with suppress(OSError):
        for fd in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                files.add(os.readlink(fd.path))
    return files


def failure(program: Program, code: int) -> str:
    """That and why a program has ended, with the last lines of its log."""
    return "\n".join([f"{program.name} {cause(code)}. The end of {program.log}:", *last_lines(program.log)])


def cause(code: int) -> str:
    """Why a process ended, from its return code, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def last_lines(log: Path, count: int = 20, since: int = 0) -> list[str]:
    """The end of a log: no more than its last 32 KiB, and nothing before the byte `since`."""
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - 32_768))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def size(log: Path) -> int:
    """The bytes of a log; 0 when it is not there yet."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0
