"""Sends what is owed: some mails at once, each attempt counted on disk before it begins and settled as soon as it ends.

A mail that a worker was sending when it was killed is sent again, with the same Message-ID, since nobody can know whether the
server had taken it. The doubt is kept short: it begins with the server's answer and ends with the commit that follows at once.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import structlog

from events.data_keys import DataKeys
from events.event import Event, Recorded
from events.store import read_log, read_stream
from projections.causes import told
from projections.reactions.deliveries import Delivery, any_due, begin_attempt, hold, postpone, settle
from projections.reactions.emails import Emails, Obsolete
from projections.reactions.smtp import Conversation, MailRefused, MailServer, MailServerAway

__all__ = ["BACKOFF_SECONDS", "Sending"]

BACKOFF_SECONDS: Final = (10, 60, 300, 1_800, 7_200, 21_600, 43_200)
"""What follows each failed attempt but the last, give or take a fifth; then the delivery is dead until it is redriven."""

AWAY_SECONDS: Final = (0.5, 1, 2, 5, 10)
MOST_CONVERSATIONS: Final = 4

_log = structlog.get_logger()


class Sending:
    """Sends due deliveries until none is left; one a process. While the mail server is away, no delivery is touched."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        keys: DataKeys,
        emails: Emails,
        server: MailServer,
        clock: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`clock` None is the database's."""
        self._pool = pool
        self._keys = keys
        self._emails = emails
        self._server = server
        self._clock = clock
        self._running = False
        self._again = False
        self._away = 0
        self._not_before = 0.0

    @property
    def possible(self) -> bool:
        """Whether it is worth trying: nothing is under way, and the mail server was not found away a moment ago."""
        return not self._running and time.monotonic() >= self._not_before

    async def run(self) -> None:
        """Send what is due. What becomes due for a run under way is sent by it."""
        if self._running:
            self._again = True
            return
        if not self.possible:
            return
        self._running = True
        try:
            self._again = True
            while self._again:
                self._again = False
                async with asyncio.TaskGroup() as conversations:
                    await self._converse(conversations, MOST_CONVERSATIONS)
        finally:
            self._running = False

    async def _converse(self, conversations: asyncio.TaskGroup, most: int) -> None:
        """Send one delivery after another, and have another conversation begun beside this one while there are more."""
        if not await any_due(self._pool, self._clock()):
            return
        conversation = await self._connected()
        if conversation is None:
            return
        attempts = 0
        try:
            while conversation.open and await self._attempt(conversation):
                attempts += 1
                self._away = 0
                if most > 1 and await any_due(self._pool, self._clock()):
                    conversations.create_task(self._converse(conversations, most - 1))
                    most = 1
        finally:
            hung_up = not conversation.open
            await conversation.end()
        if hung_up and attempts:
            self._again = True
        elif hung_up:
            self._found_away("The mail server hung up.")

    async def _connected(self) -> Conversation | None:
        try:
            conversation = await self._server.connect()
        except MailServerAway as away:
            self._found_away(str(away))
            return None
        return conversation

    def _found_away(self, cause: str) -> None:
        if self._away in (0, len(AWAY_SECONDS)):
            _log.warning("mail server away", cause=cause)
        self._not_before = time.monotonic() + AWAY_SECONDS[min(self._away, len(AWAY_SECONDS) - 1)]
        self._away += 1

    async def _attempt(self, conversation: Conversation) -> bool:
        """Attempt the delivery that has been due for longest; False when none is."""
        async with self._pool.acquire() as connection:
            delivery = await begin_attempt(connection, self._clock())
            if delivery is None:
                return False
            async with connection.transaction():
                if await hold(connection, delivery):
                    await self._deliver(connection, conversation, delivery)
        return True

    async def _deliver(self, connection: asyncpg.Connection, conversation: Conversation, delivery: Delivery) -> None:
        try:
            history = await self._history(connection, delivery)
            await conversation.hand_in(self._emails.write(delivery, history))
        except Obsolete as reason:
            await settle(connection, delivery, "obsolete", str(reason))
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever hinders one mail, the others go out
            cause = str(error) if isinstance(error, MailRefused) else told(error)
            await self._failed(connection, delivery, cause)
        else:
            await settle(connection, delivery, "sent")

    async def _history(self, connection: asyncpg.Connection, delivery: Delivery) -> Sequence[Recorded[Event]]:
        """The stream of whom it is about, and the event that is answered where that stands in another one."""
        history = await read_stream(connection, self._keys, delivery.subject_id)
        if any(event.position == delivery.position for event in history):
            return history
        at = delivery.position
        answered = await read_log(
            connection, self._keys, after=at - 1, until=at, limit=1, subject_id=delivery.subject_id
        )
        return sorted([*history, *answered], key=lambda event: event.position)

    async def _failed(self, connection: asyncpg.Connection, delivery: Delivery, cause: str) -> None:
        _log.warning("delivery failed", delivery=str(delivery.id), attempts=delivery.attempts, cause=cause)
        if delivery.attempts > len(BACKOFF_SECONDS):
            await settle(connection, delivery, "dead", cause)
        else:
            seconds = BACKOFF_SECONDS[delivery.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the load
            await postpone(connection, delivery, seconds, cause)
