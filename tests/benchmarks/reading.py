"""H2 and H3: users read one by one and in pages, by 10,000 callers with a token each, who are all signed in.

One user is whoever asks, as it mostly is. A page is the newest users, which clients ask for most; and, beside it, pages
from anywhere in the list, by cursor here and by offset there, as each side goes on.
"""

import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct

from commands.roles import AUDITOR
from tests.benchmarks.busy import Window, shares
from tests.benchmarks.crud_people import crud_people, crud_tokens
from tests.benchmarks.figures import Figure, Measure, Measured, measure
from tests.benchmarks.house import BARE, House
from tests.benchmarks.load import Answer, Conversation, Unexpected, ask, converse, saturate
from tests.benchmarks.people import Person, people, tokens, vacuum
from tests.benchmarks.requests import get
from tests.benchmarks.serving import Server

__all__ = ["reading", "walk"]

PEOPLE: Final = 10_000
LOOKED_AT: Final = 50
WALKERS: Final = 50
"""Each goes through the whole list, so that there are as many pages to ask for as people."""
PAGE: Final = 50
WARM_UP: Final = 1.0
OK: Final = frozenset({200})


class _Side(Struct, frozen=True):
    """Muster or its peer: its server, who is in it, fresh tokens for them, and where its users and pages are."""

    name: str
    server: Server
    known: Sequence[Person]
    fresh: Callable[..., Awaitable[list[str]]]
    users: str
    pages: Sequence[str]
    walkers: int


class _Asked(Struct, frozen=True):
    """What is asked for, in which roles, and what may be answered."""

    roles: Sequence[str]
    requests: Callable[[_Side, Sequence[str]], list[bytes]]
    right: Callable[[bytes], bool]
    look: Callable[[bytes, int, _Side], bool]


def _one_user(side: _Side, tokens: Sequence[str]) -> list[bytes]:
    return [get(f"{side.users}/{one.id}", token) for one, token in zip(side.known, tokens, strict=True)]


def _first_page(side: _Side, tokens: Sequence[str]) -> list[bytes]:
    return [get(side.users, token) for token in tokens]


def _any_page(side: _Side, tokens: Sequence[str]) -> list[bytes]:
    """Pages belong to who walked to them: the first people, in turn."""
    return [get(path, tokens[number % side.walkers]) for number, path in enumerate(side.pages)]


def _is_user(body: bytes, number: int, side: _Side) -> bool:
    user, person = msgspec.json.decode(body), side.known[number]
    return (user["id"], user["email"]) == (str(person.id), person.email)


def _is_page(body: bytes, _number: int, side: _Side) -> bool:
    known = {str(person.id): person.email for person in side.known}
    found = _items(msgspec.json.decode(body))
    return len({user["id"] for user in found}) == PAGE and all(known[user["id"]] == user["email"] for user in found)


def _items(document: Any) -> Any:
    return document if isinstance(document, list) else document["items"]


def _has_page(body: bytes) -> bool:
    return body.count(b'"email":') == PAGE


ASKED: Final = {
    "H2": _Asked((), _one_user, lambda body: b'"email":' in body, _is_user),
    "H3": _Asked((AUDITOR,), _first_page, _has_page, _is_page),
    "H3, anywhere": _Asked((AUDITOR,), _any_page, _has_page, _is_page),
}
WHAT: Final = {
    "H2": "`GET /v1/users/{id}` of whoever asks, with a JWT",
    "H3": "a page of 50 users, with a JWT, the newest",
    "H3, anywhere": "a page of 50 users, with a JWT, anywhere among 10,000",
}


async def reading(house: House) -> list[Figure]:
    """Measure H2 and H3, as shipped and bare. Each round starts each server anew, with tokens that it has not seen."""
    ours, peer = await _muster(house), await _crud(house)
    figures = []
    for number, asked in ASKED.items():
        taken: dict[str, list[Window]] = {}
        measures = {side.name: _rate(house, side, asked, taken.setdefault(side.name, [])) for side in (*ours, peer)}
        values = await measure(measures, house.rounds, partial(_tell, house, number))
        rows = [
            Figure(
                number.partition(",")[0],
                f"{WHAT[number]}, {house.connections} connections, {side.name.partition(', ')[2]}",
                Measured(values[side.name], "/s"),
                Measured(values[peer.name], "/s"),
                peer.name,
                goal,
            )
            for side, goal in zip(ours, (5, 8), strict=True)
        ]
        rows[0].notes = [f"{WHAT[number]}: {name}: {shares(windows)}" for name, windows in taken.items()]
        figures += rows
    return figures


async def _muster(house: House) -> list[_Side]:
    database = await house.muster("reading")
    house.tell(f"making {PEOPLE:,} people")
    known = await people(database, PEOPLE)
    await vacuum(database)
    random.Random(2).shuffle(known)
    walkers = known[:WALKERS]
    async with house.serving(house.as_shipped(database)) as (process, _):
        pages = await walk(process.port, "/v1/users", await tokens(database, walkers, AUDITOR))
    if sum(map(len, pages)) != WALKERS * PEOPLE // PAGE:
        raise Unexpected(f"{sum(map(len, pages))} pages were found, each {WALKERS} times.")
    mixed = [path for several in zip(*pages, strict=True) for path in several]

    async def fresh(*roles: str) -> list[str]:
        return await tokens(database, known, *roles)

    servers = {"as shipped": house.as_shipped(database), "bare": house.api(database, (), BARE)}
    return [
        _Side(f"Muster, {how}", server, known, fresh, "/v1/users", mixed, WALKERS) for how, server in servers.items()
    ]


async def _crud(house: House) -> _Side:
    url = await house.database("crud")
    server = house.crud(url)
    async with house.serving(server):
        pass  # its table is there now
    known = await crud_people(url, PEOPLE)
    random.Random(2).shuffle(known)
    pages = [f"/users?offset={offset}&limit={PAGE}" for offset in range(0, PEOPLE, PAGE) for _ in range(WALKERS)]

    async def fresh(*_roles: str) -> list[str]:
        return crud_tokens(known)

    return _Side("CRUD stack", server, known, fresh, "/users", pages, WALKERS)


async def walk(
    port: int, path: str, tokens: Sequence[str], most: int | None = None, *, full: bool = True
) -> list[list[str]]:
    """The paths of the pages of a list, as each of these callers finds them one after the other, `most` of them or all.

    The last one may be short unless all have to be `full`. Raises `Unexpected`.
    """

    def client(token: str, found: list[str]) -> Conversation:
        where: str | None = path
        while where is not None and len(found) != most:
            found.append(where)
            answer: Answer = yield get(where, token)
            document = msgspec.json.decode(answer.body)
            if not _has_page(answer.body) and (full or document["next"]):
                raise Unexpected(f"{where} has {len(document['items'])} users.")
            where = f"{path}?limit={PAGE}&cursor={document['next']}" if document["next"] else None

    pages: list[list[str]] = [[] for _ in tokens]
    await converse(port, [client(token, found) for token, found in zip(tokens, pages, strict=True)], OK)
    return pages


def _tell(house: House, number: str, line: str) -> None:
    house.tell(f"{number}: {line}")


def _rate(house: House, side: _Side, asked: _Asked, windows: list[Window]) -> Measure:
    async def measured() -> float:
        requests = asked.requests(side, await side.fresh(*asked.roles))
        async with house.serving(side.server) as (process, meter):
            for number in random.Random(1).sample(range(len(requests)), LOOKED_AT):
                body = await ask(process.port, requests[number], 200)
                if not asked.look(body, number, side):
                    raise Unexpected(body[:500].decode())
            order = list(requests)
            random.Random(3).shuffle(order)
            answers = await saturate(
                process.port,
                itertools.cycle(order),
                house.connections,
                OK,
                warm_up=WARM_UP,
                seconds=house.seconds,
                begun=meter.begin,
                ended=meter.end,
                right=asked.right,
            )
        windows.append(Window(answers.rate, meter.busy))
        return answers.rate

    return measured
