"""H4: sign-ins and registrations at full hash cost, beside the bare hash function; and how quick reads are meanwhile."""

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.benchmarks.busy import Window, shares
from tests.benchmarks.figures import Figure, Measure, Measured, measure
from tests.benchmarks.house import House, Person, people, tokens
from tests.benchmarks.load import Answers, p99, pace, saturate
from tests.benchmarks.requests import get, registrations, sign_in
from tests.benchmarks.serving import ROOT
from tests.support import Database

__all__ = ["hashing"]

CONNECTIONS: Final = 32
"""Fewer than there may be hashes waiting, so that none is refused."""
READS: Final = 50.0
"""A second: light, so that they take little from what hashes."""
PEOPLE: Final = 10_000
WARM_UP: Final = 2.0
SECONDS: Final = 10.0


async def hashing(house: House) -> list[Figure]:
    """Measure H4 on `muster api` as shipped, which hashes on a thread for each core, and with one thread for hashing.

    The bare function has the whole machine to itself. On as many threads as there are cores it leaves nothing for what
    else an answer takes, so that the ratio tells how much that is; with one thread less, it tells what hashing is slowed
    by what goes on beside it.
    """
    database = await house.muster("hashing")
    house.tell(f"making {PEOPLE:,} people")
    known = await people(database, PEOPLE)
    random.Random(4).shuffle(known)
    cores = os.cpu_count() or 1
    trials = [_Trial(house, database, known, threads) for threads in dict.fromkeys((cores, max(1, cores - 1)))]
    measures: dict[str, Measure] = {}
    for trial in trials:
        measures |= {trial.name: trial.served, trial.bare_name: trial.bare}
    values = await measure(measures, house.rounds, house.tell)
    return [row for trial in trials for row in trial.rows(values)]


class _Trial:
    """Sign-ins and registrations with so many threads that hash, and reads meanwhile."""

    def __init__(self, house: House, database: Database, known: Sequence[Person], threads: int) -> None:
        self._house = house
        self._database = database
        self._known = known
        self._threads = threads
        sign_ins = itertools.cycle([sign_in("/v1/sessions", number, one.email) for number, one in enumerate(known)])
        registering = registrations("/v1/users")
        self._asked = itertools.chain.from_iterable(zip(registering, sign_ins, strict=False))
        self._windows: list[Window] = []
        self._idle: list[float] = []
        self._meanwhile: list[float] = []
        self._threads_told = "one thread" if threads == 1 else f"{threads} threads"
        self.name = f"Muster, hashing on {self._threads_told}"
        self.bare_name = f"the bare hash on {self._threads_told}"

    async def served(self) -> float:
        """Answers a second."""
        fresh = await tokens(self._database, self._known)
        asked = [get(f"/v1/users/{one.id}", token) for one, token in zip(self._known, fresh, strict=True)]
        reads = itertools.cycle(asked)
        server = self._house.as_shipped(self._database, {"MUSTER_HASH_THREADS": str(self._threads)})
        async with self._house.serving(server) as (process, meter):
            await _read(process.port, reads, WARM_UP)
            quiet = await _read(process.port, reads, SECONDS)
            answers, loaded = await asyncio.gather(
                saturate(
                    process.port,
                    self._asked,
                    CONNECTIONS,
                    frozenset({201, 202}),
                    warm_up=WARM_UP,
                    seconds=SECONDS,
                    begun=meter.begin,
                    ended=meter.end,
                ),
                _read(process.port, reads, SECONDS, after=WARM_UP),
            )
        self._windows.append(Window(answers.rate, meter.busy))
        self._idle.append(p99(quiet.latencies) * 1000)
        self._meanwhile.append(p99(loaded.latencies) * 1000)
        return answers.rate

    async def bare(self) -> float:
        """Hashes a second of the bare function, in a process of its own."""
        return await _bare(self._threads)

    def rows(self, values: Mapping[str, list[float]]) -> list[Figure]:
        """What was measured."""
        how = f"hashing on {self._threads_told}"
        return [
            Figure(
                "H4",
                f"sign-ins and registrations, half and half, {CONNECTIONS} connections, as shipped, {how}",
                Measured(values[self.name], "/s"),
                Measured(values[self.bare_name], "/s"),
                self.bare_name,
                0.9,
                notes=[f"{self.name}, with {READS:.0f} reads a second beside it: {shares(self._windows)}"],
            ),
            Figure(
                "H4",
                f"99th percentile of `GET /v1/users/{{id}}` meanwhile, {READS:.0f} a second, {how}",
                Measured(self._meanwhile, "ms"),
                Measured(self._idle, "ms"),
                "the same on an idle server",
                4,
                more_is_better=False,
            ),
        ]


async def _read(port: int, reads: Iterator[bytes], seconds: float, after: float = 0.0) -> Answers:
    """People look at themselves, so many a second, after some seconds."""
    await asyncio.sleep(after)
    return await pace(port, reads, READS, frozenset({200}), seconds=seconds)


async def _bare(threads: int) -> float:
    """Hashes a second of the bare function, in a process of its own."""
    arguments = (sys.executable, "-m", "tests.benchmarks.bare_hash", str(threads), str(SECONDS))
    child = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    printed, _ = await child.communicate()
    assert child.returncode == 0
    return float(printed)
