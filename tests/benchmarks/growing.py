"""S1: how much longer the same takes among ten times as many users, asked over HTTP by one client.

Hashing is taken out, and answers are sent as soon as they are there.

Nobody else asks meanwhile, so that what is compared is what one answer takes, with all that surrounds it.
"""

import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from commands.roles import AUDITOR
from tests.benchmarks.figures import Figure, Measure, Measured, measure
from tests.benchmarks.grown import some_people
from tests.benchmarks.house import House
from tests.benchmarks.load import Unexpected, ask, saturate
from tests.benchmarks.names import SURNAMES
from tests.benchmarks.people import Person, tokens
from tests.benchmarks.reading import walk
from tests.benchmarks.registering import WITHOUT_HASHING
from tests.benchmarks.requests import get, registrations, sign_in
from tests.support import Database

__all__ = ["growing"]

PEOPLE: Final = 2_000
WALKERS: Final = 5
PAGES: Final = 1_000
PAGE: Final = 50
WARM_UP: Final = 0.5
AT_ONCE: Final = {"MUSTER_EVEN_ANSWERS_MILLISECONDS": "0"}
"""Else registrations and sign-ins would take the same whatever they take."""


class _Among(Struct):
    """A server of so many users, and who asks it what."""

    users: int
    database: Database
    port: int
    known: list[Person]
    far: list[str]
    """A path of the thousandth page for each of the first people, or of the last page where there are fewer."""
    signing_in: Iterator[bytes]


class _Question(Struct, frozen=True):
    """What is asked, given tokens of the known people, with which answers, and which of them are right."""

    what: str
    requests: Callable[[_Among, Sequence[str]], Iterator[bytes]]
    status: int
    right: Callable[[_Among, Any], bool]


def _users_themselves(among: _Among, tokens: Sequence[str]) -> Iterator[bytes]:
    return itertools.cycle(get(f"/v1/users/{one.id}", token) for one, token in zip(among.known, tokens, strict=True))


def _first_page(_among: _Among, tokens: Sequence[str]) -> Iterator[bytes]:
    return itertools.cycle(get("/v1/users", token) for token in tokens)


def _far_page(among: _Among, tokens: Sequence[str]) -> Iterator[bytes]:
    return itertools.cycle(get(path, token) for path, token in zip(among.far, tokens, strict=False))


def _addresses(among: _Among, tokens: Sequence[str]) -> Iterator[bytes]:
    found = (quote(one.email.partition("@")[0]) for one in among.known)
    return itertools.cycle(get(f"/v1/users?search={term}", token) for term, token in zip(found, tokens, strict=True))


def _surnames(_among: _Among, tokens: Sequence[str]) -> Iterator[bytes]:
    named = itertools.cycle(map(quote, SURNAMES))
    return itertools.cycle(get(f"/v1/users?search={term}", token) for term, token in zip(named, tokens, strict=False))


def _is_full(_among: _Among, answer: Any) -> bool:
    return len({user["id"] for user in answer["items"]}) == PAGE


def _is_named(_among: _Among, answer: Any) -> bool:
    """The first surname that is searched for is a plain one."""
    found = answer["items"]
    return 0 < len(found) <= PAGE and all(SURNAMES[0].lower() in user["display_name"].lower() for user in found)


QUESTIONS: Final = (
    _Question("a user by id", _users_themselves, 200, lambda among, answer: _knows(among, answer)),
    _Question("page 1", _first_page, 200, _is_full),
    _Question("page 1,000", _far_page, 200, _is_full),
    _Question(
        "search, an address",
        _addresses,
        200,
        lambda among, answer: len(answer["items"]) == 1 and _knows(among, answer["items"][0]),
    ),
    _Question("search, a surname of one in a hundred", _surnames, 200, _is_named),
    _Question(
        "a registration",
        lambda _among, _tokens: registrations("/v1/users"),
        202,
        lambda _among, answer: "id" in answer,
    ),
    _Question(
        "a sign-in",
        lambda among, _tokens: among.signing_in,
        201,
        lambda among, answer: answer["user_id"] in {str(one.id) for one in among.known},
    ),
)


def _knows(among: _Among, user: Any) -> bool:
    return any((user["id"], user["email"]) == (str(one.id), one.email) for one in among.known)


async def growing(house: House, databases: dict[int, Database]) -> list[Figure]:
    """Measure S1 between the least and the most users; both servers run all the while, and are asked in turn."""
    async with AsyncExitStack() as stack:
        sides = []
        for users, database in databases.items():
            server = replace(house.api(database, WITHOUT_HASHING, AT_ONCE), name=f"muster {users}")
            process, _ = await stack.enter_async_context(house.serving(server))
            sides.append(await _among(house, users, database, process.port))
        measures = {
            f"{question.what}, {side.users:,} users, ms": _median(house, side, question)
            for question in QUESTIONS
            for side in sides
        }
        values = await measure(measures, house.rounds, lambda line: house.tell(f"S1: {line}"))
    few, many = sides
    return [
        Figure(
            "S1",
            f"{question.what}, median, among {many.users:,} users",
            Measured(values[f"{question.what}, {many.users:,} users, ms"], "ms"),
            Measured(values[f"{question.what}, {few.users:,} users, ms"], "ms"),
            f"among {few.users:,}",
            1.5,
            more_is_better=False,
        )
        for question in QUESTIONS
    ]


async def _among(house: House, users: int, database: Database, port: int) -> _Among:
    known = await some_people(database, users, min(PEOPLE, users // 4))
    house.tell(f"going through {PAGES:,} pages of {users:,} users")
    pages = await walk(port, "/v1/users", await tokens(database, known[:WALKERS], AUDITOR), PAGES, full=False)
    if len(pages[0]) < PAGES:
        house.tell(f"{users:,} users have {len(pages[0]):,} pages: the last full one stands for page {PAGES:,}")
    far = [found[-1] if len(found) == PAGES else found[-2] for found in pages]
    signing_in = itertools.cycle([sign_in("/v1/sessions", number, one.email) for number, one in enumerate(known)])
    return _Among(users, database, port, known, far, signing_in)


def _median(house: House, side: _Among, question: _Question) -> Measure:
    async def measured() -> float:
        fresh = await tokens(side.database, side.known, AUDITOR)
        requests = question.requests(side, fresh)
        body = await ask(side.port, next(requests), question.status)
        if not question.right(side, msgspec.json.decode(body)):
            raise Unexpected(f"{question.what}: {body[:500].decode()}")
        answers = await saturate(
            side.port, requests, 1, frozenset({question.status}), warm_up=WARM_UP, seconds=house.seconds
        )
        if not answers.latencies:
            raise Unexpected(f"{question.what}: nothing was answered in {house.seconds} s")
        return statistics.median(answers.latencies) * 1000

    return measured
