"""The cost ledger: what each part takes of a registration, as shipped and without hashing.

Parts are taken out of one running process and put back, every moment, while people register: what slows the machine
slows both moments alike. Samples of the same load tell where the rest goes.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from tests.benchmarks.busy import Window, seconds_of
from tests.benchmarks.figures import Measured
from tests.benchmarks.house import House
from tests.benchmarks.load import Answers, saturate
from tests.benchmarks.registering import WARM_UP, WITHOUT_HASHING
from tests.benchmarks.requests import registrations
from tests.benchmarks.samples import areas
from tests.benchmarks.switches import signal_of
from tests.support import Database

__all__ = ["costs"]

MOMENT: Final = 0.25
SETTLES: Final = 0.05
PAIRS: Final = 8
SAMPLED_SECONDS: Final = 20.0
PATH: Final = "/v1/users"


class Cost(Struct, frozen=True):
    """One line of the ledger: a part that is switched in the process, or a header that the load sends."""

    what: str
    part: str = ""
    extra: bool = False
    """Whether it is no part of what is measured as H1."""


LEDGER: Final = (
    Cost("what surrounds a request: ids, security headers, and the two below", "what surrounds a request"),
    Cost("the log line", "log"),
    Cost("metrics", "metrics"),
    Cost("whether the password is easy to guess", "guessing"),
    Cost("sealing: the event, the password, the client, the data key", "sealing"),
    Cost("limits, counted in Valkey", "limits"),
    Cost("even answers", "even answers"),
    Cost("whence a command came, noted and sealed", "whence"),
    Cost("whose the address is: two reads of the store", "reads"),
    Cost("the claim on the address", "claims"),
    Cost("deadlines for slow clients", "deadlines"),
    Cost("handing the hash to a thread and back", "handing over", extra=True),
    Cost("an `Idempotency-Key`: a receipt, looked up, sealed and kept", extra=True),
)


class _Asking(Iterator[bytes]):
    """Registrations, with an Idempotency-Key each or without."""

    def __init__(self) -> None:
        self._plain, self._keyed = registrations(PATH), registrations(PATH, "Idempotency-Key: key-%(number)d")
        self.keyed = False

    def __next__(self) -> bytes:
        return next(self._keyed if self.keyed else self._plain)


async def costs(house: House) -> list[str]:
    """The ledger as lines of Markdown."""
    database = await house.muster("costs")
    found: dict[str, list[float]] = {}
    for number in range(1, house.rounds + 1):
        for what, microseconds in await _round(house, database):
            found.setdefault(what, []).append(microseconds)
            house.tell(f"round {number} of {house.rounds}: {what}: {microseconds:.1f} µs")
    lines = ["| What | µs of the API's processor time for each request |", "|---|---|"]
    lines += [f"| {what} | {Measured(values, 'µs')} |" for what, values in found.items()]
    return [*lines, "", *await _areas(house, database)]


async def _round(house: House, database: Database) -> list[tuple[str, float]]:
    """What everything takes together, then each line of the ledger, in one process."""
    asking = _Asking()
    seconds = PAIRS * (1 + 2 * len(LEDGER)) * (SETTLES + MOMENT) + 1
    answers = Answers(seconds)

    async def measured(pid: int) -> list[tuple[str, float]]:
        await asyncio.sleep(WARM_UP)
        whole = ("everything", _each([await _moment(pid, answers) for _ in range(PAIRS)]))
        return [whole, *[(cost.what, await _difference(pid, answers, cost, asking)) for cost in LEDGER]]

    async with house.serving(house.api(database, (*WITHOUT_HASHING, "--switches"))) as (process, _):
        asked = saturate(
            process.port,
            asking,
            house.connections,
            frozenset({202}),
            warm_up=WARM_UP,
            seconds=seconds,
            answers=answers,
        )
        _, found = await asyncio.gather(asked, measured(process.pid))
    return found


async def _difference(pid: int, answers: Answers, cost: Cost, asking: _Asking) -> float:
    """What a request takes more with the part than without."""
    moments: dict[bool, list[_Moment]] = {False: [], True: []}
    for switched in (False, True) * PAIRS:
        moments[switched].append(await _moment(pid, answers))
        if cost.part:
            os.kill(pid, signal_of(cost.part))
        else:
            asking.keyed = not asking.keyed
    difference = _each(moments[True]) - _each(moments[False])
    return difference if cost.extra else -difference


class _Moment(Struct, frozen=True):
    seconds: float
    answers: int


async def _moment(pid: int, answers: Answers) -> _Moment:
    """What the process takes and answers for a moment, once it has settled."""
    await asyncio.sleep(SETTLES)
    taken, answered = seconds_of(pid), len(answers.latencies)
    await asyncio.sleep(MOMENT)
    return _Moment(seconds_of(pid) - taken, len(answers.latencies) - answered)


def _each(moments: list[_Moment]) -> float:
    """µs for each answer."""
    return sum(moment.seconds for moment in moments) / sum(moment.answers for moment in moments) * 1e6


async def _areas(house: House, database: Database) -> list[str]:
    """Where the API's time goes, from samples."""
    file = house.folder / "samples.json"
    async with house.serving(house.api(database, (*WITHOUT_HASHING, "--samples", str(file)))) as (process, meter):

        def begun() -> None:
            meter.begin()
            os.kill(process.pid, signal.SIGUSR1)

        def ended() -> None:
            os.kill(process.pid, signal.SIGUSR2)
            meter.end()

        answers = await saturate(
            process.port,
            registrations(PATH),
            house.connections,
            frozenset({202}),
            warm_up=WARM_UP,
            seconds=SAMPLED_SECONDS,
            begun=begun,
            ended=ended,
        )
    counted = msgspec.json.decode(file.read_bytes())
    microseconds = Window(answers.rate, meter.busy).microseconds("server")
    lines = [f"| Where, by {sum(counted.values()):,} samples | µs of the API for each request |", "|---|---|"]
    return lines + [f"| {name} | {taken:.0f} |" for name, taken in areas(counted, microseconds)]
