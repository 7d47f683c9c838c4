"""P1 and P2: events projected per second into the view of users, live and by a rebuild, beside the library's `ProjectionRunner`.

Live: a backlog of sealed events waits while two workers start, each with a core, if there are two; then both partitions are let
go, and the clock runs from the first step to the log's end. It is taken in as everything is: in batches, with rows and
checkpoint in one transaction, which does not wait for the disk, since both are lost together and made again from the log.

Rebuild: all of it by one process, from the log's beginning over the indexes until the new table serves.

The library has one way for both: its runner takes one event after the other, from an empty view.
"""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from events.connections import connect
from tests.benchmarks.figures import Figure, Measure, Measured, measure
from tests.benchmarks.filling import fill_with, realm_of
from tests.benchmarks.house import House
from tests.benchmarks.library_users import Person, Users, environment
from tests.benchmarks.lives import brief_waves
from tests.benchmarks.names import email_of, name_of
from tests.benchmarks.serving import ROOT
from tests.benchmarks.views import caught_up, emptied, held, projected_rate, users_in_view
from tests.support import Database

__all__ = ["projecting"]

EACH: Final = {5: "five events per user", 1: "one event per user"}
LIBRARY_EVENTS: Final = 40_000
LIBRARY_BLOCK: Final = 500
WARM_UP: Final = 1.0


async def projecting(house: House, events: int) -> list[Figure]:
    """Measure P1 and P2 on logs of so many events."""
    measures: dict[str, Measure] = {}
    for each, name in EACH.items():
        ours, theirs = _Ours(house, each, events), _Library(house, each)
        await ours.prepare()
        await theirs.prepare()
        measures |= {f"live, {name}": ours.live, f"rebuild, {name}": ours.rebuild, f"library, {name}": theirs.rate}
    values = await measure(measures, house.rounds, lambda line: house.tell(f"P: {line}"))

    def row(number: str, what: str, way: str, name: str, goal: float) -> Figure:
        return Figure(
            number,
            f"{what}, sealed, {name}",
            Measured(values[f"{way}, {name}"], "/s"),
            Measured(values[f"library, {name}"], "/s"),
            "library's `ProjectionRunner`, encrypted",
            goal,
        )

    live = "events projected live into the view of users, two partitions, two workers"
    rebuilt = "events of a rebuild of the view of users, with its indexes, one process"
    return [
        *(row("P1", live, "live", name, 30) for name in EACH.values()),
        *(row("P2", rebuilt, "rebuild", name, goal) for name, goal in zip(EACH.values(), (60, 40), strict=True)),
    ]


class _Ours:
    """A log of so many events, and what a worker makes of it."""

    def __init__(self, house: House, each: int, events: int) -> None:
        self._house = house
        self._each = each
        self._people = events // each
        self._database: Database

    async def prepare(self) -> None:
        """Fill the log, and have the view made."""
        house, events = self._house, self._people * self._each
        house.tell(f"filling a log with {events:,} events, {EACH[self._each]}")
        self._database = await house.muster(f"projecting_{self._each}")
        now = datetime.now(UTC)
        waves = brief_waves(await realm_of(self._database, now), self._people, now, self._each)
        assert await fill_with(self._database, waves, events, house.tell) == events
        async with house.working(house.worker(self._database, "worker", "users")):
            await caught_up(self._database, house.tell)

    async def live(self) -> float:
        """Events a second."""
        house, database = self._house, self._database
        await emptied(database)
        workers = [house.worker(database, f"worker {number}", "users") for number in (1, 2)]
        async with held(database) as let_go, house.working(*workers):
            await let_go()
            rate = await projected_rate(database)
        await self._look()
        return rate

    async def rebuild(self) -> float:
        """Events a second of a rebuild from the log's beginning until the new table serves."""
        arguments = (sys.executable, "-m", "tests.benchmarks.muster_rebuild")
        environment = self._house.environment(self._database)
        child = await asyncio.create_subprocess_exec(
            *arguments, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await child.communicate()
        assert child.returncode == 0, "the rebuild has failed"
        await self._look()
        return self._people * self._each / float(printed)

    async def _look(self) -> None:
        found = await users_in_view(self._database)
        assert found == (self._people, self._people * self._each), f"the view has (users, events) {found}"


class _Library:
    """The library's log with as many events per user, and its runner."""

    def __init__(self, house: House, each: int) -> None:
        self._house = house
        self._each = each
        self._environment: dict[str, str] = {}
        self._url = ""

    async def prepare(self) -> None:
        """Fill the library's log, in the same order as ours."""
        self._house.tell(f"filling the library's log with {LIBRARY_EVENTS:,} events, {EACH[self._each]}")
        self._url = await self._house.database(f"library_{self._each}")
        self._environment = environment(self._url)
        await asyncio.to_thread(self._fill)

    def _fill(self) -> None:
        application = Users(self._environment)
        for block in _blocks(LIBRARY_EVENTS // self._each):
            people = [Person(email_of(number), name_of(number), "en-GB") for number in block]
            application.save(*people)
            for step in range(self._each - 1):
                for person in people:
                    _step(person, step)
                application.save(*people)
        assert application.recorder.max_notification_id() == LIBRARY_EVENTS
        application.close()

    async def rate(self) -> float:
        """Events a second of its runner, from an empty view."""
        connection = await connect(self._url, "emptying")
        await connection.execute("DROP TABLE IF EXISTS users_view, users_projection_tracking")
        arguments = ("-m", "tests.benchmarks.library_runner", str(WARM_UP), str(self._house.seconds))
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments), cwd=ROOT, env=self._environment, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await child.communicate()
        assert child.returncode == 0, "the library's runner has failed"
        rows = await connection.fetchrow(
            "SELECT (SELECT sum(version) FROM users_view) AS versions, "
            "(SELECT max(notification_id) FROM users_projection_tracking WHERE application_name = $1) AS tracked",
            Users.name,
        )
        await connection.close()
        assert rows["versions"] == rows["tracked"], f"the library's view has {rows}"
        return float(printed)


def _blocks(people: int) -> Iterator[range]:
    for first in range(0, people, LIBRARY_BLOCK):
        yield range(first, min(first + LIBRARY_BLOCK, people))


def _step(person: Person, step: int) -> None:
    if step == 0:
        person.verify()
    elif step == 1:
        person.rename("Ada Lovelace")
    elif step == 2:
        person.speak("de-CH")
    else:
        person.live_by("Europe/Zurich")
