"""What tests of reactions begin from: a reaction stepped by hand, a mail server, and sending with a clock that tests turn."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from events.data_keys import DataKeys
from projections.checkpoints import prepare, release, take
from projections.reactions import sending
from projections.reactions.emails import EMAILS, Emails
from projections.reactions.mails import Links
from projections.reactions.sending import Sending
from projections.reactions.smtp import MailServer
from tests.projections.mail import Mail
from tests.support import Database


@pytest.fixture
async def mail() -> AsyncIterator[Mail]:
    made = Mail()
    await made.start()
    yield made
    await made.stop()


class Post:
    """The reaction that writes mails, and the sending of what it owes."""

    def __init__(self, database: Database, pool: asyncpg.Pool, mail: Mail) -> None:
        self.database = database
        self.pool = pool
        self.now: datetime | None = None
        self.sending = self.another(mail)

    def another(self, mail: Mail) -> Sending:
        """Sending as in another process."""
        emails = Emails("Muster <no-reply@muster.example>", Links("https://muster.example", b"k" * 32))
        keys = DataKeys(self.database.master)
        return Sending(self.pool, keys, emails, MailServer(mail.url), lambda: self.now)

    async def react(self) -> None:
        """Take in what happened, and let the moment pass for which mail waits."""
        async with self.pool.acquire() as connection:
            checkpoint = await take(connection, EMAILS.name, 0)
            assert checkpoint
            await EMAILS.begin(connection, checkpoint)
            await EMAILS.step(connection, checkpoint)
            await release(connection, EMAILS.name, 0)
        await self.database.query("UPDATE deliveries SET next_attempt_at = created_at WHERE attempts = 0")

    async def rewind(self) -> None:
        """Have the reaction see everything once more."""
        await self.database.query("UPDATE checkpoints SET position = 0 WHERE consumer = 'emails'")

    async def after(self, seconds: float) -> None:
        """Turn the clock, and send."""
        (row,) = await self.database.query("SELECT clock_timestamp() AS now")
        self.now = (self.now or row["now"]) + timedelta(seconds=seconds)
        await self.sending.run()

    async def deliveries(self) -> list[tuple[Any, ...]]:
        """(slot, status, attempts) of all that is or was owed."""
        rows = await self.database.query("SELECT slot, status, attempts FROM deliveries ORDER BY position, slot")
        return [tuple(row) for row in rows]

    async def causes(self) -> list[str | None]:
        """Why they stand as they do."""
        rows = await self.database.query("SELECT cause FROM deliveries ORDER BY position, slot")
        return [row["cause"] for row in rows]


@pytest.fixture
async def post(database: Database, projector_pool: asyncpg.Pool, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setattr(sending, "AWAY_SECONDS", (0,))
    async with projector_pool.acquire() as connection:
        await prepare(connection, {}, {EMAILS.name: 1})
    return Post(database, projector_pool, mail)
