"""`muster up` as a process of a test, and what can be seen of processes from outside."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from api.processes import claim
from tests.children import started

STANDIN = (sys.executable, str(Path(__file__).with_name("run_standin.py")))
MUSTER = (sys.executable, "-P", "-m", "api.cli", "up", "--json")
MAKE = (shutil.which("make") or "make", "--no-print-directory", "-C", str(Path(__file__).parents[2]), "up")


def until(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    """Come back when the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and only waits to be asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def left_in(data: Path) -> list[str]:
    """The processes that still hold a lock, a working folder or an argument in the data folder."""
    found = [f"a holder of {lock}" for lock in (data / "run").glob("*.lock") if not _free(lock)]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_text().replace("\0", " ")
            if int(process.name) != os.getpid() and (
                str(data) in command or (process / "cwd").readlink().is_relative_to(data)
            ):
                found.append(f"{process.name} {command}")
    return found


def _free(lock: Path) -> bool:
    if (fd := claim(lock)) is None:
        return False
    os.close(fd)
    return True


class Up:
    """A running `muster up` on a data folder."""

    def __init__(
        self, data: Path, *arguments: str, command: tuple[str, ...] = STANDIN, environ: Mapping[str, str] | None = None
    ) -> None:
        self.data = data
        self._errors = data.with_name(f"{data.name}.errors")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        told = ["--data", str(data), *(arguments or ("--port", "0"))]
        if command == MAKE:
            told = [f"ARGS=--json {shlex.join(told)}"]
        with self._errors.open("wb") as errors:
            self._process = started(
                [*command, *told],
                signal.SIGTERM,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**kept, **(environ or {})},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()  # make passes this on, and cannot pass on a SIGKILL
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    @property
    def told(self) -> str:
        """What it has said on standard error."""
        return self._errors.read_text()

    def ready(self) -> dict[str, Any]:
        """The line of JSON that it prints once it is ready."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self.told
        answer: dict[str, Any] = json.loads(line)
        return answer

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def code(self, seconds: float = 30) -> int:
        """Its exit code, when it has ended."""
        return self._process.wait(seconds)

    def stop(self) -> int:
        """Ask it to end, and its exit code when it has."""
        self.send(signal.SIGTERM)
        return self.code()
