"""Where the time of one registration and of one sign-in goes, asked one at a time at full hash cost."""

import itertools
import statistics
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from tests.benchmarks.house import House
from tests.benchmarks.load import saturate
from tests.benchmarks.people import people
from tests.benchmarks.requests import registrations, sign_in
from tests.benchmarks.serving import Server
from tests.benchmarks.spans import middle_half, parts

__all__ = ["profile"]

PEOPLE: Final = 2_000
WARM_UP: Final = 2.0
SECONDS: Final = 8.0
OUTSIDE: Final = "HTTP server, sockets and client"


async def profile(house: House) -> list[str]:
    """A table as lines of Markdown: the parts of each request, waiting included, in µs."""
    database = await house.muster("profile")
    known = await people(database, PEOPLE)
    signing_in = itertools.cycle([sign_in("/v1/sessions", number, one.email) for number, one in enumerate(known)])
    registration = await _parts(house, house.api(database, _arguments(house)), "/v1/users", registrations("/v1/users"))
    session = await _parts(house, house.api(database, _arguments(house)), "/v1/sessions", signing_in)
    both = dict.fromkeys((*registration, *session))
    lines = ["| Part, in µs | a registration | a sign-in |", "|---|---|---|"]
    lines += [f"| {name} | {registration.get(name, 0):,.0f} | {session.get(name, 0):,.0f} |" for name in both]
    return [*lines, f"| **all** | {sum(registration.values()):,.0f} | {sum(session.values()):,.0f} |"]


def _arguments(house: House) -> tuple[str, ...]:
    return ("--spans", str(house.folder / "spans.json"))


async def _parts(house: House, server: Server, path: str, requests: Iterator[bytes]) -> Mapping[str, float]:
    """The µs of each part of such a request."""
    async with house.serving(server) as (process, _):
        answers = await saturate(process.port, requests, 1, frozenset({201, 202}), warm_up=WARM_UP, seconds=SECONDS)
    taken = msgspec.json.decode((house.folder / "spans.json").read_bytes())[f"POST {path}"]
    inside = parts(taken[-len(answers.latencies) :])
    whole = statistics.fmean(middle_half(answers.latencies, key=float))
    inside[OUTSIDE] = whole - sum(inside.values())
    return {name: seconds * 1e6 for name, seconds in inside.items()}
