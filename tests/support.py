"""What tests speak with: a database and what opens it, histories, and given / when / then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from commands.errors import Refused
from commands.user import User, fold
from events.connections import connect
from events.data_keys import DataKeys
from events.event import Event, Recorded
from events.keys import LocalMasterKey
from events.migrations.roles import role_names, role_url

__all__ = ["NOON", "Database", "Given", "History", "until"]

T = TypeVar("T")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def until(condition: Callable[[], Awaitable[T]], seconds: float = 20, pause: float = 0.005) -> T:
    """What the condition answers once it is true; fails when it is not within some seconds."""
    async with asyncio.timeout(seconds):
        while not (answer := await condition()):  # noqa: ASYNC110 - what it waits for is in another process
            await asyncio.sleep(pause)
        return answer


class Database:
    """A migrated database and what opens it."""

    def __init__(self, owner_url: str) -> None:
        self.owner_url = owner_url
        self.secret = b"a secret of tests, 32 bytes long"
        self.master_key = b"a master key for tests, 32 bytes"
        self.master = LocalMasterKey(self.master_key)
        self.keys = DataKeys(self.master)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: asyncpg.Connection | None = None
        self._asking = False

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Meanwhile the owner's questions share a connection, one at a time: most of what they take is connecting."""
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            self._loop = None
            if self._kept is not None:
                await self._kept.close()

    def url(self, role: str) -> str:
        """The URL with which a process of this role ("writer", "reader", "projector") connects."""
        return role_url(self.owner_url, role, self.secret)

    @property
    def name(self) -> str:
        """What the server calls it."""
        return self.owner_url.rpartition("/")[2]

    def role(self, role: str) -> str:
        """The quoted name of a role of this database."""
        return role_names(self.name)[role]

    async def query(self, sql: str, *arguments: Any) -> list[Any]:
        """Rows of a question that the owner asks."""
        rows: list[Any]
        if self._asking or asyncio.get_running_loop() is not self._loop:
            connection = await connect(self.owner_url, "tests")
            try:
                rows = await connection.fetch(sql, *arguments)
                return rows
            finally:
                await connection.close()
        self._asking = True
        try:
            if self._kept is None or self._kept.is_closed():
                # Tables change their shape between questions, and a statement that was prepared knows of one.
                self._kept = await asyncpg.connect(
                    self.owner_url,
                    statement_cache_size=0,
                    server_settings={"application_name": "tests", "TimeZone": "UTC"},
                    timeout=10,
                )
            rows = await self._kept.fetch(sql, *arguments)
            return rows
        finally:
            self._asking = False


class History:
    """Recorded events of one stream, one minute apart from noon on."""

    def __init__(self, stream_type: str = "user", stream_id: UUID | None = None) -> None:
        self.stream_type = stream_type
        self.stream_id = stream_id or uuid7()

    def of(self, *events: Event) -> list[Recorded[Any]]:
        """The events as they would be read."""
        return [
            Recorded(
                event,
                position,
                self.stream_id,
                self.stream_type,
                position,
                self.stream_id,
                NOON + timedelta(minutes=position),
            )
            for position, event in enumerate(events, start=1)
        ]


class Given:
    """A user's history, waiting for a command."""

    def __init__(self, history: list[Recorded[Any]]) -> None:
        self.history = history

    def when(self, decide: Any, **facts: Any) -> "Asked":
        """What the command, or a function of the user, decides on this history; facts are passed to `decide`."""
        asked: Callable[..., Any] = getattr(decide, "decide", decide)
        return Asked(lambda: asked(fold(self.history), **facts))

    @property
    def user(self) -> User:
        """The user that this history makes."""
        return fold(self.history)


class Asked:
    """A decision, waiting for what is expected of it."""

    def __init__(self, decide: Callable[[], list[Event]]) -> None:
        self._decide = decide

    def then(self, *events: Event) -> None:
        """These events happened, and nothing else."""
        assert self._decide() == list(events)

    def then_nothing(self) -> None:
        """Nothing happened."""
        assert self._decide() == []

    def then_refused(self, refusal: type[Refused]) -> None:
        """The command was refused for this reason."""
        with pytest.raises(refusal):
            self._decide()
