"""P3: how long it takes from the answer to a command until a query shows what it did, with all that a worker keeps.

Someone changes their name; the answer tells the position of it, and the same client asks for the user at that position at
least and is answered when the view has come so far. It is another person each time, as limits count for each.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from tests.benchmarks.appends import alone
from tests.benchmarks.busy import Window, shares
from tests.benchmarks.figures import Figure, Measured, measure
from tests.benchmarks.house import House
from tests.benchmarks.load import Conversation, Unexpected, converse, p99
from tests.benchmarks.people import Person, people, tokens
from tests.benchmarks.requests import get, rename
from tests.benchmarks.views import caught_up
from tests.support import Database

__all__ = ["showing"]

PEOPLE: Final = 2_000
MANY: Final = 64
WARM_UP: Final = 1.0
DONE: Final = frozenset({200, 204})


class _Seen(Struct):
    """What came of each round: medians and 99th percentiles in ms, and who took how much for it."""

    medians: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)


async def showing(house: House) -> list[Figure]:
    """Measure P3 with one client and with 64, on `muster api` and one `muster worker` as shipped."""
    database = await house.muster("showing")
    house.tell(f"making {PEOPLE:,} people")
    known = await people(database, PEOPLE)
    names = itertools.count(1)
    seen = {clients: _Seen() for clients in (1, MANY)}

    async def shown(clients: int) -> float:
        latencies = await _shown(house, database, known, names, clients, seen[clients].windows)
        seen[clients].medians.append(statistics.median(latencies) * 1000)
        seen[clients].p99s.append(p99(latencies) * 1000)
        return seen[clients].medians[-1]

    async def appended() -> float:
        return statistics.median(await alone(database)) * 1000

    measures = {
        "one client, ms": lambda: shown(1),
        f"{MANY} clients, ms": lambda: shown(MANY),
        "the append alone, ms": appended,
    }
    values = await measure(measures, house.rounds, lambda line: house.tell(f"P3: {line}"))
    what = "from a command's answer until a query shows it, all projections on"

    def row(clients: int, which: str, ours: list[float], peer: list[float], name: str, goal: float) -> Figure:
        who = "one client" if clients == 1 else f"{clients} clients, saturated"
        return Figure(
            "P3",
            f"{what}, {who}: {which}",
            Measured(ours, "ms"),
            Measured(peer, "ms"),
            name,
            goal,
            more_is_better=False,
        )

    one, many, limit = seen[1], seen[MANY], "limit"
    figures = [
        row(1, "median", one.medians, values["the append alone, ms"], "the append alone", 5),
        row(1, "median", one.medians, [10.0], limit, 1),
        row(1, "99th percentile", one.p99s, [50.0], limit, 1),
        row(MANY, "median", many.medians, [25.0], limit, 1),
        row(MANY, "99th percentile", many.p99s, [50.0], limit, 1),
    ]
    figures[0].notes = [
        f"{'one client' if clients == 1 else f'{clients} clients'}, a command and a query: {shares(found.windows)}"
        for clients, found in seen.items()
    ]
    return figures


async def _shown(
    house: House, database: Database, known: list[Person], names: Iterator[int], clients: int, windows: list[Window]
) -> list[float]:
    """Seconds from each answer until it was shown."""
    async with (
        house.working(house.worker(database)) as (worker,),
        house.serving(house.as_shipped(database)) as (api, _),
    ):
        await caught_up(database)
        asking = itertools.cycle(zip(known, await tokens(database, known), strict=True))
        latencies: list[float] = []
        begins = time.perf_counter() + WARM_UP
        ends = begins + house.seconds
        meter = house.meter(server=api.pid, worker=worker)

        async def measured() -> None:
            await asyncio.sleep(WARM_UP)
            meter.begin()
            await asyncio.sleep(house.seconds)
            meter.end()

        talking = [_client(asking, names, begins, ends, latencies) for _ in range(clients)]
        await asyncio.gather(converse(api.port, talking, DONE), measured())
    windows.append(Window(len(latencies) / house.seconds, meter.busy))
    return latencies


def _client(
    asking: Iterator[tuple[Person, str]], names: Iterator[int], begins: float, ends: float, latencies: list[float]
) -> Conversation:
    while time.perf_counter() < ends:
        person, token = next(asking)
        name = f"Ada Lovelace {next(names)}"
        answer = yield rename(person.id, token, name)
        answered = time.perf_counter()
        position = answer.header("Event-Position")
        shown = yield get(f"/v1/users/{person.id}", token, f"Min-Position: {position}", "Prefer: wait=10")
        if f'"{name}"'.encode() not in shown.body:
            raise Unexpected(f"{name} at {position} is not shown: {shown.body[:500].decode()}")
        if begins <= answered < ends:
            latencies.append(time.perf_counter() - answered)
