"""Robots do what only time calls for: each has its turn at intervals, looks for what is due, and sends commands about it.

Whether anything is to be done is for the commands to say, and they are safe to repeat. So a robot may look with a view that
is behind, be killed half way, or come twice; the next turn does what is left.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct, field
from sqlalchemy import DateTime, Integer, Uuid, select

from commands.expire_session import ExpireSession, expiring
from commands.handler import Command, Context, Handler
from commands.handling import open_handler
from commands.lapse_invitation import LapseInvitation, invitations_past
from commands.lapse_registration import LapseRegistration, lapsing, lapsing_before
from commands.release_former_address import ReleaseFormerAddress
from commands.request_erasure import CarryOutErasure
from commands.rules import rules
from commands.unit import Rules
from commands.unlock_user import LiftLock
from events.connections import Reading, is_unavailable
from events.data_keys import DataKeys
from events.errors import StoreUnavailable
from events.event import Actor
from events.keys import MasterKey
from events.migrations.roles import role_url
from events.user import ErasureRequested, UserLocked
from projections.causes import told
from projections.database import Statement, given
from projections.read_model import ReadModel
from projections.schedules import put_off, take_turns
from projections.serving import PerTable, serving_table
from projections.users import USERS, UserRow

__all__ = ["ROBOTS", "Report", "Robot", "Robots", "Turn"]

PAGE: Final = 500
_log = structlog.get_logger()


class Turn(Struct, frozen=True):
    """What a robot looks for what is due with: the moment, the rules, the views, and the log with what stands beside it."""

    now: datetime
    rules: Rules
    views: Reading
    log: Reading
    keys: DataKeys


class Robot(Struct, frozen=True):
    """Asks these commands about everything that it finds, in this order; each tells whether there was anything to do."""

    name: str
    every_seconds: float
    find: Callable[[Turn], AsyncIterator[UUID]]
    commands: tuple[Callable[[UUID], Command[bool]], ...]


_PARKED: Final = """
    SELECT DISTINCT key FROM parked_events JOIN stored_events ON notification_id = position
    WHERE consumer = $1 AND topic = $2 AND key > $3 ORDER BY key LIMIT $4
"""


def _users_due(column: str, topic: str) -> Callable[[Turn], AsyncIterator[UUID]]:
    """The users of whom the view says in this column that the time has come, and those of whom it could not take that yet."""

    def due(model: ReadModel[UserRow]) -> Statement:
        users = model.table.columns
        return Statement(
            select(users.id)
            .where(users[column] <= given("now", DateTime(timezone=True)), users.id > given("after", Uuid))
            .order_by(users.id)
            .limit(given("limit", Integer))
        )

    on = PerTable(USERS, due)

    async def find(turn: Turn) -> AsyncIterator[UUID]:
        table = await serving_table(turn.views, USERS)
        if table is None:
            return
        after = UUID(int=0)
        while rows := await on[table].fetch(turn.views, now=turn.now, after=after, limit=PAGE):
            for row in rows:
                yield row["id"]
            after = rows[-1]["id"]
        after = UUID(int=0)
        while rows := await turn.views.fetch(_PARKED, table, topic, after, PAGE):
            for row in rows:
                yield row["key"]
            after = rows[-1]["key"]

    return find


def _unproven_addresses(turn: Turn) -> AsyncIterator[UUID]:
    return lapsing(turn.log, lapsing_before(turn.rules, turn.now))


def _expired_sessions(turn: Turn) -> AsyncIterator[UUID]:
    return expiring(turn.log, turn.keys, turn.now, turn.rules.refresh_token_days)


def _invitations_past(turn: Turn) -> AsyncIterator[UUID]:
    return invitations_past(turn.log, turn.keys, turn.now)


ROBOTS: Final = (
    # A lock is over when its time is, robot or not; until it is lifted the status and the history say otherwise.
    Robot("locks", 30, _users_due("locked_until", UserLocked.__name__), (LiftLock,)),
    # Somebody may be waiting for the address, who was promised it after hours.
    Robot("addresses", 600, _unproven_addresses, (LapseRegistration, ReleaseFormerAddress)),
    # A promise to a person, by the day.
    Robot("erasures", 300, _users_due("erasure_due_at", ErasureRequested.__name__), (CarryOutErasure,)),
    # What was personal in them has no use any more.
    Robot("invitations", 3600, _invitations_past, (LapseInvitation,)),
    # Nobody waits: what has expired is refused in any case. And every session that is old has to be looked at.
    Robot("sessions", 3600, _expired_sessions, (ExpireSession,)),
)


class Report(Struct):
    """What came of a run: how often each command did something, how many failed, and why the first of them did."""

    done: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    cause: str = ""

    def failure(self, error: Exception) -> None:
        """Note one more."""
        self.failed += 1
        self.cause = self.cause or told(error)


class Robots:
    """The robots as one process runs them, on connections of their own for as long as a run takes."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        writer_url: str,
        master: MasterKey,
        rules: Rules,
        clock: Callable[[], datetime | None] = lambda: None,
        robots: Iterable[Robot] = ROBOTS,
    ) -> None:
        """`pool` has the projector's rights, which suffice to look at views but not for commands. `clock` None is the database's."""
        self._pool = pool
        self._writer_url = writer_url
        self._master = master
        self._rules = rules
        self._clock = clock
        self._robots = {robot.name: robot for robot in robots}
        self._stopping = False

    @classmethod
    def of(cls, pool: asyncpg.Pool, database_url: str, secret: bytes, master: MasterKey, settings: object) -> "Robots":
        """The robots of an installation, from its settings."""
        return cls(pool, role_url(database_url, "writer", secret), master, rules(secret, settings))

    def stop(self) -> None:
        """Let every run end after its present command."""
        self._stopping = True

    async def take_turns(self) -> list[str]:
        """The robots whose turn it is, and which nobody else is told to run."""
        every = {robot.name: robot.every_seconds for robot in self._robots.values()}
        return await take_turns(self._pool, every, self._clock())

    async def run(self, name: str) -> Report:
        """Have a robot find and do what is due at this moment, and log what came of it. What fails is left to the next turn."""
        report = Report()
        robot = self._robots.get(name)
        if robot is None:
            return report
        try:
            await self._run(robot, report)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is another turn
            report.failure(error)
        finally:
            if report.done:
                _log.info("robot worked", robot=name, **report.done)
            if report.failed:
                _log.warning("robot failed", robot=name, failed=report.failed, error=report.cause)
        return report

    async def _run(self, robot: Robot, report: Report) -> None:
        now = self._clock() or await self._pool.fetchval("SELECT clock_timestamp()")
        keys = DataKeys(self._master)  # not the process's own, out of which looking at many people would drive others
        loop = asyncio.get_running_loop()
        put_off_at = loop.time() + robot.every_seconds / 2
        async with open_handler(self._writer_url, "muster robots", keys, self._rules, lambda: now) as (handler, log):
            async for subject in robot.find(Turn(now, self._rules, self._pool, log, keys)):
                if self._stopping:
                    return
                if loop.time() >= put_off_at:
                    await put_off(self._pool, robot.name, robot.every_seconds, self._clock())
                    put_off_at = loop.time() + robot.every_seconds / 2
                for command in robot.commands:
                    await _ask(handler, command(subject), robot, report)


async def _ask(handler: Handler, command: Command[bool], robot: Robot, report: Report) -> None:
    """One command that fails does not keep the others from being asked, unless there is nobody to ask."""
    try:
        outcome = await handler.handle(command, Context(Actor("robot", name=robot.name)))
    except Exception as error:
        if isinstance(error, StoreUnavailable) or is_unavailable(error):
            raise
        report.failure(error)
    else:
        report.done.update([type(command).__name__] if outcome.result else [])
