"""A handler on a fresh store, with a clock that tests turn."""

from datetime import UTC, datetime, timedelta
from typing import Any

from commands.handler import Context, Handler
from commands.links import VERIFY_EMAIL, link_token
from commands.passwords import Hasher
from commands.register_user import RegisterUser
from commands.unit import Rules
from commands.verify_email import VerifyEmail
from events.committer import Committer
from events.event import ANONYMOUS
from events.store import read_log
from tests.support import Database

__all__ = ["PASSWORD", "Muster", "context"]

PASSWORD = "correct horse battery"
context = Context(ANONYMOUS)


class Muster:
    """A handler on a fresh store, with a clock that tests turn."""

    def __init__(self, database: Database, pool: Any, committer: Committer, hasher: Hasher) -> None:
        self.database, self.pool = database, pool
        self.rules = Rules(claims_key=b"claims", links_key=b"links", devices_key=b"devices")
        self.now = datetime.now(UTC)
        self.handler = Handler(pool, committer, database.keys, self.rules, hasher, lambda: self.now)

    async def ask(self, command: Any, context: Context = context) -> Any:
        return (await self.handler.handle(command, context)).result

    async def registered(self, email: str = "ada@example.com", password: str = PASSWORD) -> Any:
        """The id of a user who has proved the address."""
        user_id = (await self.ask(RegisterUser(email, password))).user_id
        await self.ask(VerifyEmail(user_id, self.link(user_id)))
        return user_id

    def link(self, user_id: Any, version: int = 1) -> str:
        return link_token(b"links", VERIFY_EMAIL, user_id, version, self.now + timedelta(hours=72))

    async def topics(self) -> list[str]:
        events = await read_log(self.pool, self.database.keys, after=0, limit=1000)
        return [type(recorded.event).__name__ for recorded in events]
