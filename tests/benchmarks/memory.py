"""The most memory that processes have held, from /proc (Linux)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

__all__ = ["Peaks", "watched"]

LOOKS_EVERY: Final = 0.1
_PARENT: Final = 1


class Peaks:
    """The most that any process of each name, or any that it started, has had resident at once, in MB."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self.megabytes = dict.fromkeys(pids, 0.0)

    def watch(self, name: str, pid: int) -> None:
        """Look at this one from now on."""
        self._pids[name] = pid
        self.megabytes.setdefault(name, 0.0)

    def look(self) -> None:
        """See how much it is by now; a process that has ended counts for what was seen of it."""
        parents = {}
        for path in Path("/proc").iterdir():
            if path.name.isdecimal():
                with contextlib.suppress(OSError):
                    parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[_PARENT])
        for name, pid in self._pids.items():
            found = [_peak(one) for one in _family(pid, parents)]
            self.megabytes[name] = max(self.megabytes[name], *found)


def _family(pid: int, parents: Mapping[int, int]) -> list[int]:
    """A process and all that descend from it."""
    family = [pid]
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return family


def _peak(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


@asynccontextmanager
async def watched(pids: Mapping[str, int]) -> AsyncIterator[Peaks]:
    """Look at processes again and again while the context is open."""
    peaks = Peaks(pids)

    async def look() -> None:
        while True:
            await asyncio.to_thread(peaks.look)
            await asyncio.sleep(LOOKS_EVERY)

    looking = asyncio.create_task(look())
    try:
        yield peaks
        await asyncio.to_thread(peaks.look)
    finally:
        looking.cancel()
