"""H4: sign-ins and registrations at full hash cost, beside the bare hash function; and how quick reads are meanwhile."""

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Iterator
from typing import Final

from tests.benchmarks.busy import Window, shares
from tests.benchmarks.figures import Figure, Measured, measure
from tests.benchmarks.house import House, people, tokens
from tests.benchmarks.load import Answers, p99, pace, saturate
from tests.benchmarks.requests import get, registrations, sign_in
from tests.benchmarks.serving import ROOT

__all__ = ["hashing"]

CONNECTIONS: Final = 32
"""Fewer than there may be hashes waiting, so that none is refused."""
READS: Final = 50.0
"""A second: light, so that they take little from what hashes."""
PEOPLE: Final = 10_000
WARM_UP: Final = 2.0
SECONDS: Final = 10.0


async def hashing(house: House) -> list[Figure]:
    """Measure H4 on `muster api` as shipped, which hashes on a thread for each core."""
    database = await house.muster("hashing")
    house.tell(f"making {PEOPLE:,} people")
    known = await people(database, PEOPLE)
    random.Random(4).shuffle(known)
    sign_ins = itertools.cycle([sign_in("/v1/sessions", number, one.email) for number, one in enumerate(known)])
    asked = itertools.chain.from_iterable(zip(registrations("/v1/users"), sign_ins, strict=False))
    threads = os.cpu_count() or 1
    windows: list[Window] = []
    idle: list[float] = []
    meanwhile: list[float] = []

    async def served() -> float:
        fresh = await tokens(database, known)
        reads = itertools.cycle([get(f"/v1/users/{one.id}", token) for one, token in zip(known, fresh, strict=True)])
        async with house.serving(house.as_shipped(database)) as (process, meter):
            await _read(process.port, reads, WARM_UP)
            quiet = await _read(process.port, reads, SECONDS)
            answers, loaded = await asyncio.gather(
                saturate(
                    process.port,
                    asked,
                    CONNECTIONS,
                    frozenset({201, 202}),
                    warm_up=WARM_UP,
                    seconds=SECONDS,
                    begun=meter.begin,
                    ended=meter.end,
                ),
                _read(process.port, reads, SECONDS, after=WARM_UP),
            )
        windows.append(Window(answers.rate, meter.busy))
        idle.append(p99(quiet.latencies) * 1000)
        meanwhile.append(p99(loaded.latencies) * 1000)
        return answers.rate

    measures = {"Muster, sign-ins and registrations": served, "the bare hash": lambda: _bare(threads)}
    values = await measure(measures, house.rounds, house.tell)
    return [
        Figure(
            "H4",
            f"sign-ins and registrations, half and half, {CONNECTIONS} connections, as shipped",
            Measured(values["Muster, sign-ins and registrations"], "/s"),
            Measured(values["the bare hash"], "/s"),
            f"the bare hash on {threads} threads",
            0.9,
            notes=[f"Muster, with {READS:.0f} reads a second beside it, {shares(windows)}"],
        ),
        Figure(
            "H4",
            f"99th percentile of `GET /v1/users/{{id}}` meanwhile, {READS:.0f} a second",
            Measured(meanwhile, "ms"),
            Measured(idle, "ms"),
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
