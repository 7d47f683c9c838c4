"""The cost ledger: what each part takes of a registration, by taking it out, or putting it in, and measuring again."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tests.benchmarks.busy import Window
from tests.benchmarks.figures import Measured, measure
from tests.benchmarks.house import BARE, House
from tests.benchmarks.registering import register
from tests.benchmarks.samples import areas

__all__ = ["costs"]

PARTS: Final = ("server", "Postgres")
SAMPLED_SECONDS: Final = 15.0


class Variation(Struct, frozen=True):
    """A registration that differs from one as shipped: by arguments of the script, settings or headers.

    What is left out costs what is saved; what is put in (`adds`) what is spent.
    """

    what: str
    arguments: Sequence[str] = ()
    changes: Mapping[str, str] = {}
    headers: Sequence[str] = ()
    adds: bool = False


VARIATIONS: Final = (
    Variation("log lines", changes={"MUSTER_LOG_LEVEL": "error"}),
    Variation("metrics", ("--without", "metrics")),
    Variation("sealing of personal data, the password and the data key", ("--without", "sealing")),
    Variation("address and user agent of the client, sealed", ("--without", "whence")),
    Variation("the claim on the address, looked up and taken", ("--without", "claims")),
    Variation("security headers", ("--without", "security headers")),
    Variation("deadlines for slow clients", ("--without", "deadlines")),
    Variation("all that settings switch off", changes=BARE),
    Variation("*handing the hash to a thread and back*", ("--hashing", "handed over"), adds=True),
    Variation("*an `Idempotency-Key`*", headers=("Idempotency-Key: key-%d",), adds=True),
)
SHIPPED: Final = Variation("as shipped")


async def costs(house: House) -> list[str]:
    """The ledger as lines of Markdown: each cost is that of a round against the same round as shipped."""
    database = await house.muster("costs")
    taken: dict[str, list[Window]] = {}
    sampled = house.folder / "samples.json"

    async def take(variation: Variation) -> float:
        server = house.api(database, variation.arguments, variation.changes)
        window = await register(house, server, headers=variation.headers)
        taken.setdefault(variation.what, []).append(window)
        return window.microseconds("server")

    measures = {f"{v.what}, µs a request": lambda v=v: take(v) for v in (SHIPPED, *VARIATIONS)}
    await measure(measures, house.rounds, house.tell)
    await register(house, house.api(database, ("--samples", str(sampled))), seconds=SAMPLED_SECONDS)
    whole = taken[SHIPPED.what]
    rows = [(SHIPPED.what, *(_median(whole, part) for part in PARTS))]
    for variation in VARIATIONS:
        sign = -1 if variation.adds else 1
        rounds = list(zip(whole, taken[variation.what], strict=True))
        rows.append((variation.what, *(_difference(rounds, part, sign) for part in PARTS)))
    lines = ["| What | µs of the API | µs of Postgres |", "|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return [*lines, "", *_areas(msgspec.json.decode(sampled.read_bytes()), whole)]


def _median(rounds: list[Window], part: str) -> str:
    return str(Measured([one.microseconds(part) for one in rounds], ""))


def _difference(rounds: list[tuple[Window, Window]], part: str, sign: int) -> str:
    return str(Measured([sign * (one.microseconds(part) - other.microseconds(part)) for one, other in rounds], ""))


def _areas(counted: Mapping[str, int], whole: list[Window]) -> list[str]:
    """Where the API's time goes, as shipped, from samples."""
    microseconds = Measured([one.microseconds("server") for one in whole], "").median
    lines = [f"| Where, of {sum(counted.values()):,} samples | µs of the API |", "|---|---|"]
    return lines + [f"| {name} | {taken:.0f} |" for name, taken in areas(counted, microseconds)]
