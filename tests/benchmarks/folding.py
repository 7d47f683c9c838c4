"""A4: loading and folding a stream, beside the library's `Aggregate`; and how long a stream of 10,000 events takes."""

import asyncio
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from uuid_utils.compat import uuid7

from commands.user import fold
from events.append import Append, NewEvent
from events.codec import encode, write_metadata
from events.committer import Committer
from events.connections import connect, open_pool
from events.data_keys import DataKeys
from events.event import ANONYMOUS, Event, Metadata
from events.store import read_stream
from events.user import DisplayNameChanged, UserRegistered
from tests.benchmarks.figures import Figure, Measured, measure
from tests.library import library_settings
from tests.support import Database

__all__ = ["folding"]

EVENTS: Final = 1000
LONG: Final = 10_000
REPEATS: Final = 10


class Person(Aggregate):
    """A user as the library's own documentation would write it."""

    @event("Registered")
    def __init__(self, email: str) -> None:
        self.email = email
        self.display_name = ""

    @event("Renamed")
    def rename(self, display_name: str) -> None:
        self.display_name = display_name


async def _stream(database: Database, events: int) -> UUID:
    """A stream of so many sealed events of one user."""
    committer = Committer(lambda: connect(database.url("writer"), "committer"))
    await committer.start()
    user_id = uuid7()
    key, use = database.keys.make(user_id)
    keys = [use]
    for first in range(1, events + 1, 500):
        command_id = uuid7()
        note = write_metadata(Metadata(actor=ANONYMOUS, command="Benchmark", correlation_id=command_id))
        new = []
        for version in range(first, min(first + 500, events + 1)):
            fact: Event = UserRegistered("ada@example.com") if version == 1 else DisplayNameChanged(f"Ada {version}")
            topic, state = encode(fact, user_id, version, key)
            new.append(NewEvent(user_id, "user", version, topic, state, user_id, note))
        await committer.commit(Append(command_id, new, {user_id: first - 1}, keys=keys))
        keys = []
    await committer.stop()
    return user_id


def _application(url: str) -> Application[UUID]:
    return Application(library_settings(url))


async def folding(database: Database, peer_url: str, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure A4, sealed on our side and in clear on the library's."""
    ours, long = await _stream(database, EVENTS), await _stream(database, LONG)
    application = _application(peer_url)
    person = Person("ada@example.com")
    for number in range(EVENTS - 1):
        person.rename(f"Ada {number}")
    application.save(person)
    pool = await open_pool(database.url("writer"), "writer", 1)

    async def load(stream: UUID) -> float:
        begun = time.perf_counter()
        for _ in range(REPEATS):
            user = fold(await read_stream(pool, DataKeys(database.master), stream))
        seconds = (time.perf_counter() - begun) / REPEATS
        assert user.version in (EVENTS, LONG)
        return seconds

    async def of_ours() -> float:
        return await load(ours) / EVENTS * 1e6

    async def of_library() -> float:
        begun = time.perf_counter()
        for _ in range(REPEATS):
            await asyncio.to_thread(application.repository.get, person.id)
        return (time.perf_counter() - begun) / REPEATS / EVENTS * 1e6

    async def of_long() -> float:
        return await load(long) * 1000

    measures = {"Muster, µs an event": of_ours, "library, µs an event": of_library, "10,000 events, ms": of_long}
    values = await measure(measures, rounds, tell)
    await pool.close()
    application.close()
    faster = [
        peer / own for peer, own in zip(values["library, µs an event"], values["Muster, µs an event"], strict=True)
    ]
    tell(f"A4: Muster is {min(faster):.1f} to {max(faster):.1f} times as fast")
    return [
        Figure(
            "A4",
            "loading and folding a stream of 1,000",
            Measured(values["Muster, µs an event"], "µs an event"),
            Measured(values["library, µs an event"], "µs an event"),
            "library's `Aggregate`",
            1 / 5,
            more_is_better=False,
        ),
        Figure(
            "",
            "loading a stream of 10,000",
            Measured(values["10,000 events, ms"], "ms"),
            Measured([50.0], "ms"),
            "limit",
            1,
            more_is_better=False,
        ),
    ]
