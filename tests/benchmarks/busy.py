"""How much of a core everyone takes, from /proc (Linux)."""

import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = ["Busy", "Meter", "Window", "seconds_of", "shares"]

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PARENT, _UTIME, _CSTIME = 1, 11, 14


class Busy(Struct, frozen=True):
    """Seconds of processor time of each part in a window of so many seconds."""

    parts: Mapping[str, float]
    seconds: float


class Window(Struct, frozen=True):
    """How many answers a second a window gave, and who took how much for them."""

    rate: float
    busy: Busy

    def share(self, part: str) -> float:
        """How much of a core a part took."""
        return self.busy.parts[part] / self.busy.seconds

    def microseconds(self, part: str) -> float:
        """Processor time of a part for each answer."""
        return self.share(part) / self.rate * 1e6


def shares(windows: Sequence[Window]) -> str:
    """What each part takes in the median window, for an answer and of a core."""
    told = []
    for part in windows[0].busy.parts:
        microseconds = statistics.median(window.microseconds(part) for window in windows)
        share = statistics.median(window.share(part) for window in windows)
        told.append(f"{part} {microseconds:,.0f} µs ({share:.0%} of a core)")
    return "processor time for each answer: " + ", ".join(told)


def seconds_of(pid: int) -> float:
    """Processor time that the threads of a process have taken so far, to the nanosecond (schedstat)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Meter:
    """Measures processes with all that they start, and this one as the load, between `begin` and `end`."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._begun: dict[str, float] = {}
        self._since = 0.0
        self.busy: Busy

    def begin(self) -> None:
        """The window begins."""
        self._begun, self._since = self._read(), os.times().elapsed

    def end(self) -> None:
        """The window ends: `busy` tells what was taken in it."""
        now = self._read()
        parts = {name: now[name] - taken for name, taken in self._begun.items()}
        self.busy = Busy(parts, os.times().elapsed - self._since)

    def _read(self) -> dict[str, float]:
        stats = {int(path.name): _stat(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
        own = os.times()
        return {name: _taken(pid, stats) for name, pid in self._pids.items()} | {"load": own.user + own.system}


def _stat(process: Path) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on; nothing when it has just ended."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _taken(pid: int, stats: Mapping[int, list[str]]) -> float:
    """Its own time, that of its children that have ended, and that of those that live."""
    ticks = sum(map(int, stats[pid][_UTIME : _CSTIME + 1]))
    for stat in stats.values():
        if stat and int(stat[_PARENT]) == pid:
            ticks += sum(map(int, stat[_UTIME : _CSTIME + 1]))
    return ticks * _TICK
