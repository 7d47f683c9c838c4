"""What tests speak with: a database and what opens it, histories, and given / when / then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

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

    def url(self, role: str) -> str:
        """The URL with which a process of this role ("writer", "reader", "projector") connects."""
        return role_url(self.owner_url, role, self.secret)

    def role(self, role: str) -> str:
        """The quoted name of a role of this database."""
        return role_names(self.owner_url.rpartition("/")[2])[role]

    async def query(self, sql: str, *arguments: Any) -> list[Any]:
        """Rows of a question that the owner asks."""
        connection = await connect(self.owner_url, "tests")
        try:
            rows: list[Any] = await connection.fetch(sql, *arguments)
            return rows
        finally:
            await connection.close()


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
