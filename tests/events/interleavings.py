"""Two committers on one real store, driven step by step through what can befall them, and compared with a small model.

After each step everything comes to rest: whatever can still move is held at its proxy, waits for a lock, or is done.
So a seed replays its interleaving, as far as a real server has no will of its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from msgspec import Struct, field
from uuid_utils.compat import uuid7

from events.append import Append, ClaimChange, NewEvent
from events.codec import write_metadata
from events.committer import Committer
from events.connections import connect
from events.errors import Conflict
from events.event import ANONYMOUS, Metadata
from events.rows import log_rows
from tests.proxy import Proxy
from tests.support import Database, until

__all__ = ["Untrue", "World", "interleave"]

STREAMS: Final = 2
CLAIMS: Final = 2
LOCK: Final = "x'6d7573746572'::bigint"


class Untrue(AssertionError):
    """What was told, read or stored is not what happened."""


def _true(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Untrue(otherwise)


class Model(Struct, frozen=True):
    """What commands are decided on: each stream's version and each claim's owner, at an end of the log."""

    end: int
    versions: dict[UUID, int] = field(default_factory=dict)
    owners: dict[bytes, UUID] = field(default_factory=dict)

    def accepts(self, append: Append) -> bool:
        """Whether all that the command expects is so."""
        return all(self.versions.get(stream, 0) == version for stream, version in append.expected.items()) and all(
            self.owners.get(claim.key) == claim.expected for claim in append.claims
        )

    def after(self, append: Append) -> "Model":
        """As it is once the command is recorded."""
        owners = self.owners | {claim.key: claim.owner_id for claim in append.claims}
        return Model(
            self.end + len(append.events),
            self.versions | {event.stream_id: event.version for event in append.events},
            {key: owner for key, owner in owners.items() if owner is not None},
        )


class Asked(Struct, eq=False):
    """A command, who was asked, and where the log ended when it was asked and when its answer was seen."""

    append: Append
    committer: int
    asked_at: int
    task: asyncio.Task[int]
    answered_at: int | None = None

    @property
    def answer(self) -> int | Conflict:
        error = self.task.exception()
        if error is None:
            return self.task.result()
        if isinstance(error, Conflict):
            return error
        msg = f"answered with {error!r}"
        raise Untrue(msg) from error


def check_log(start: int, rows: Sequence[Any], told: Sequence[Asked]) -> Model:
    """Play the log after `start` back, command by command, and compare with what was told; the model at its end.

    Every command that was acknowledged is there once, whole, where it was told to be, after those that its committer
    was asked for before, and was right to be accepted there; every refusal had its reason at some point between
    question and answer; nothing else is there.
    """
    models = [Model(start)]
    commands = {str(each.append.command_id): each.append for each in told}
    found: dict[str, int] = {}
    while (done := models[-1].end - start) < len(rows):
        command = rows[done]["command"]
        _true(command in commands, f"nobody asked for what is after {start + done}")
        _true(command not in found, f"a command is there twice, again after {start + done}")
        append = commands[command]
        whole = [
            (start + done + number, event.stream_id, event.version, command)
            for number, event in enumerate(append.events, start=1)
        ]
        there = [tuple(row) for row in rows[done : done + len(whole)]]
        _true(there == whole, f"not whole, or not in its place: {whole}, but {there}")
        _true(models[-1].accepts(append), f"recorded after {start + done}, where it does not fit: {append}")
        models.append(models[-1].after(append))
        found[command] = models[-1].end
    for number, each in enumerate(told):
        _check_answer(each, told[:number], found, models)
    return models[-1]


def _check_answer(each: Asked, before: Sequence[Asked], found: dict[str, int], models: Sequence[Model]) -> None:
    at, answer, answered_at = found.get(str(each.append.command_id)), each.answer, each.answered_at
    assert answered_at is not None
    earlier = [
        found.get(str(other.append.command_id), 0)
        for other in before
        if other.committer == each.committer and not each.append.touches().isdisjoint(other.append.touches())
    ]
    began = max(each.asked_at, *earlier, 0)
    if isinstance(answer, Conflict):
        _true(at is None, f"refused, but there at {at}: {each.append}")
        moments = [model for model in models if began <= model.end <= answered_at]
        _true(not all(model.accepts(each.append) for model in moments), f"refused without a reason: {each.append}")
    else:
        _true(at == answer, f"told to be at {answer}, but is at {at}: {each.append}")
        _true(began < answer <= answered_at, f"is at {answer}, not after {began} and until {answered_at}")


class Line:
    """A committer as a process of its own would have it, on a line that can be held and cut."""

    def __init__(self, url: str, number: int, make: Callable[..., Committer]) -> None:
        self.number = number
        self.name = f"committer {number}"
        self.proxy = Proxy(url)
        self.committer = make(self._connect)
        self.connection: asyncpg.Connection | None = None
        self.pid = 0
        self.asked: list[Asked] = []

    async def start(self) -> None:
        self._url = await self.proxy.start()
        await self.committer.start()

    async def stop(self) -> None:
        await self.committer.stop()
        await self.proxy.stop()

    async def _connect(self) -> asyncpg.Connection:
        connection = await connect(self._url, self.name)
        self.connection, self.pid = connection, connection.get_server_pid()
        return connection

    @property
    def lost(self) -> bool:
        """Whether the committer knows that it has no connection."""
        return self.connection is None or self.connection.is_closed()

    def ask(self, append: Append, asked_at: int) -> Asked:
        asked = Asked(append, self.number, asked_at, asyncio.create_task(self.committer.commit(append)))
        asked.task.add_done_callback(asyncio.Task.exception)  # where a step failed, nobody else asks for it
        self.asked.append(asked)
        return asked

    def rests(self, blocked: set[int]) -> bool:
        """Whether nothing moves until another step: all is answered, held at the proxy, or waits for a lock."""
        if not self.lost and not self.proxy.lines:
            return False
        done = all(asked.task.done() for asked in self.asked)
        return done or self.proxy.holding or (not self.lost and self.pid in blocked)

    async def lose(self, disturb: Callable[[], Any]) -> None:
        """Disturb, and return once the committer knows that the connection that it had is gone."""
        connection = self.connection
        await disturb()

        async def closed() -> bool:
            return connection is None or connection.is_closed()

        await until(closed)


class World:
    """The store, and those who look at it and disturb it from outside; one for all examples."""

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        self.run = runner.run
        self.writer_url = database.url("writer")
        # A role sees of others only that they are there, so the observer is of the committers' role.
        self.observer, self.locker, self.staller, self.reader = (
            self.run(connect(url, name))
            for name, url in {
                "observer": database.url("writer"),
                "locker": database.url("writer"),
                "staller": database.owner_url,
                "reader": database.url("reader"),
            }.items()
        )

    def close(self) -> None:
        for connection in (self.observer, self.locker, self.staller, self.reader):
            self.run(connection.close())

    async def head(self) -> int:
        head: int = await self.observer.fetchval("SELECT coalesce(max(notification_id), 0) FROM stored_events")
        return head

    async def backends(self) -> list[Any]:
        """The server processes of committers, lost ones too: pid, name, whether idle, whether waiting for a lock."""
        rows: list[Any] = await self.observer.fetch(
            "SELECT pid, application_name AS name, state = 'idle' AS idle, "
            "EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND NOT granted) AS blocked "
            "FROM pg_stat_activity a WHERE datname = current_database() AND application_name LIKE 'committer %'"
        )
        return rows

    async def rows(self, after: int) -> list[Any]:
        rows: list[Any] = await self.observer.fetch(
            "SELECT notification_id AS position, originator_id AS stream, originator_version AS version, "
            "metadata->>'correlation_id' AS command FROM stored_events WHERE notification_id > $1 ORDER BY 1",
            after,
        )
        return rows


class Wish(Struct, frozen=True):
    """A command to be made of what is believed when it is asked for."""

    streams: list[int]
    events: int
    stale: bool
    claim: int | None
    mistaken: bool
    release: bool


wishes = st.builds(
    Wish,
    streams=st.lists(st.integers(0, STREAMS - 1), min_size=1, max_size=2, unique=True),
    events=st.integers(1, 3),
    stale=st.sampled_from([False, False, False, True]),
    claim=st.none() | st.integers(0, CLAIMS - 1),
    mistaken=st.sampled_from([False, False, True]),
    release=st.booleans(),
)
numbers = st.integers(0, 1)


class Interleaving(RuleBasedStateMachine):
    """One example: two committers with nothing asked of them yet, and streams and claims that nobody else touches."""

    def __init__(self, world: World, make: Callable[..., Committer]) -> None:
        super().__init__()
        self.world = world
        self.streams = [uuid7() for _ in range(STREAMS)]
        self.claims = [uuid7().bytes for _ in range(CLAIMS)]
        self.asked: list[Asked] = []
        self.locked = self.stalled = False
        self.time: Any = None
        self.lines = [Line(world.writer_url, number, make) for number in (0, 1)]
        for line in self.lines:
            world.run(line.start())
        self.start = self.read_until = world.run(world.head())
        self.believed = Model(self.start)

    @rule(number=numbers, wish=wishes)
    def ask(self, number: int, wish: Wish) -> None:
        self.ask_at_once(number, [wish])

    @rule(number=numbers, wanted=st.lists(wishes, min_size=2, max_size=4))
    def ask_at_once(self, number: int, wanted: list[Wish]) -> None:
        """Several, so that those that have nothing in common go together."""

        async def ask() -> None:
            head = await self.world.head()
            self.asked += [self.lines[number].ask(self.command(wish), head) for wish in wanted]

        self.do(ask)

    @rule(wish=wishes)
    def ask_both(self, wish: Wish) -> None:
        """The same of two processes, one after the other: at most one can have it, unless it moves nothing."""
        believed = self.believed
        self.ask(0, wish)
        self.believed = believed
        self.ask(1, wish)

    def command(self, wish: Wish) -> Append:
        """A command that fits what is believed, unless it is stale or mistaken; it is believed to succeed if it fits."""
        command_id, versions = uuid7(), dict(self.believed.versions)
        streams = [self.streams[number] for number in wish.streams]
        if wish.stale:
            versions[streams[0]] = versions.get(streams[0], 0) - 1 if versions.get(streams[0]) else 1
        append = Append(command_id, expected={stream: versions.get(stream, 0) for stream in streams})
        metadata = write_metadata(Metadata(actor=ANONYMOUS, command="Test", correlation_id=command_id))
        for number in range(wish.events):
            stream = streams[number % len(streams)]
            versions[stream] = versions.get(stream, 0) + 1
            append.events.append(NewEvent(stream, "user", versions[stream], "EmailVerified", b"{}", stream, metadata))
        if wish.claim is not None:
            owner = self.believed.owners.get(self.claims[wish.claim])
            if wish.mistaken:
                owner = uuid7() if owner is None else None
            next_owner = None if wish.release and owner is not None else uuid7()
            append.claims.append(ClaimChange("email", self.claims[wish.claim], owner, next_owner))
        if self.believed.accepts(append):
            self.believed = self.believed.after(append)
        return append

    @rule(number=numbers)
    def hold_or_open(self, number: int) -> None:
        proxy = self.lines[number].proxy
        (proxy.hold if proxy.is_open else proxy.open)()
        self.settle()

    @precondition(lambda self: self.unanswered)
    @rule(number=numbers)
    def cut(self, number: int) -> None:
        line = self.lines[number]

        async def cut() -> None:
            line.proxy.cut()

        self.do(lambda: line.lose(cut))

    @rule(number=numbers, after=st.integers(0, 4), answer=st.booleans())
    def cut_soon(self, number: int, after: int, answer: bool) -> None:
        """After some requests more: before the next one, or before its answer."""
        proxy = self.lines[number].proxy
        (proxy.cut_before_answer if answer else proxy.cut_before_request)(b"", after)

    @rule(number=numbers)
    def end_backends(self, number: int) -> None:
        """Those that were lost too."""
        line = self.lines[number]

        async def end() -> None:
            pids = {row["pid"] for row in await self.world.backends() if row["name"] == line.name}
            await self.world.observer.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", pids)

            async def gone() -> bool:
                return pids.isdisjoint(row["pid"] for row in await self.world.backends())

            await until(gone)

        self.do(lambda: line.lose(end))

    @precondition(lambda self: not self.locked)
    @rule()
    def lock(self) -> None:
        """Let appends wait, unless one is in the middle."""
        self.locked = self.world.run(self.world.locker.fetchval(f"SELECT pg_try_advisory_lock({LOCK})"))

    @precondition(lambda self: self.locked)
    @rule()
    def unlock(self) -> None:
        async def unlock() -> None:
            await self.world.locker.execute(f"SELECT pg_advisory_unlock({LOCK})")

        self.locked = False
        self.do(unlock)

    @precondition(lambda self: not self.stalled)
    @rule(number=st.integers(0, STREAMS - 1))
    def stall(self, number: int) -> None:
        """Let who appends to a stream wait in the middle, for someone who seems to be about to take its next version."""

        async def stall() -> None:
            await self.world.staller.execute("BEGIN; SET LOCAL lock_timeout = '5s'")
            await self.world.staller.execute(
                "INSERT INTO stored_events (originator_id, originator_version, notification_id) "
                "SELECT $1, coalesce(max(originator_version), 0) + 1, -1 FROM stored_events WHERE originator_id = $1",
                self.streams[number],
            )

        self.stalled = True
        self.do(stall)

    @precondition(lambda self: self.stalled)
    @rule()
    def resume(self) -> None:
        async def resume() -> None:
            await self.world.staller.execute("ROLLBACK")

        self.stalled = False
        self.do(resume)

    @rule(most=st.integers(1, 9))
    def read(self, most: int) -> None:
        """On from where the reader is: the next position is the next, and never was before."""
        rows = self.world.run(log_rows(self.world.reader, after=self.read_until, limit=most))
        for row in rows:
            _true(row["notification_id"] == self.read_until + 1, f"read {row['notification_id']}: a gap")
            _true(self.time is None or row["recorded_at"] >= self.time, f"{self.read_until + 1} was before the last")
            self.read_until, self.time = row["notification_id"], row["recorded_at"]

    def teardown(self) -> None:
        """Undo every disturbance; then all is answered, and true."""
        for line in self.lines:
            line.proxy.disarm()
            line.proxy.open()
        try:
            if self.locked:
                self.unlock()
            if self.stalled:
                self.resume()
            self.settle()
            _true(not self.unanswered, "not everything was answered")
            self.read(10_000)
            _true(self.read_until == self.believed.end, f"read until {self.read_until} of {self.believed.end}")
        finally:
            for line in self.lines:
                self.world.run(line.stop())

    @property
    def unanswered(self) -> bool:
        return any(not asked.task.done() for asked in self.asked)

    def do(self, step: Callable[[], Any]) -> None:
        self.world.run(step())
        self.settle()

    def settle(self) -> None:
        """Come to rest, then look: what is answered is there by now, and what is there is true."""
        try:
            self.world.run(until(self.rests))
        except TimeoutError:
            msg = "does not come to rest"
            raise Untrue(msg) from None
        self.world.run(self.look())

    async def rests(self) -> bool:
        live = {line.pid for line in self.lines if not line.lost}
        backends = await self.world.backends()
        blocked = {row["pid"] for row in backends if row["blocked"]}
        return all(row["blocked"] or (row["idle"] and row["pid"] in live) for row in backends) and all(
            line.rests(blocked) for line in self.lines
        )

    async def look(self) -> None:
        head = await self.world.head()
        for asked in self.asked:
            if asked.answered_at is None and asked.task.done():
                asked.answered_at = head
                answer = asked.answer
                _true(isinstance(answer, Conflict) or answer <= head, f"told {answer}, but the log ends at {head}")
        if not self.unanswered:
            self.believed = check_log(self.start, await self.world.rows(self.start), self.asked)
            rows = await self.world.observer.fetch("SELECT key, owner_id FROM claims WHERE key = ANY ($1)", self.claims)
            _true(dict(rows) == self.believed.owners, f"claims are {rows}, not {self.believed.owners}")


def interleave(
    world: World, make: Callable[..., Committer] = Committer, *, examples: int, seeded: int, shrink: bool = False
) -> None:
    """Drive random interleavings; raises `Untrue` with the steps that led to it."""
    machine: Any = lambda: Interleaving(world, make)  # noqa: E731 - a factory, though it is declared to be a class
    try:
        run_state_machine_as_test(
            seed(seeded)(machine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=25,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
                report_multiple_bugs=False,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    except Flaky as flaky:
        msg = "untrue once, and not again: the server was free to choose"
        raise Untrue(msg) from flaky
