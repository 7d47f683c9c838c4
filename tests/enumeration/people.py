"""People of each kind, in numbers: made by the commands themselves, with one password that is hashed once."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from msgspec import Struct

from commands.enrol_totp import ConfirmTotp, EnrolTotp
from commands.erase_user import EraseUser
from commands.errors import InvalidCredentials
from commands.handler import Context, Handler
from commands.lapse_registration import LapseRegistration
from commands.links import VERIFY_EMAIL, link_token
from commands.passwords import Hasher, Place, Verified
from commands.register_user import RegisterUser
from commands.rules import rules
from commands.sign_in import SignIn
from commands.suspend_user import SuspendUser
from commands.verify_email import VerifyEmail
from events.committer import Committer
from events.connections import connect, open_pool
from events.event import ANONYMOUS
from settings import Settings, key_bytes
from tests.apps import App
from tests.support import Database

__all__ = ["PASSWORD", "WRONG_PASSWORD", "People", "Person", "new_email", "people"]

PASSWORD: Final = "four oars and a lantern"
WRONG_PASSWORD: Final = PASSWORD[::-1]
AT_ONCE: Final = 64
ANYONE: Final = Context(ANONYMOUS)
T = TypeVar("T")
_numbers = itertools.count(1)


def new_email() -> str:
    """An address that nobody has, as long as all others."""
    return f"person{next(_numbers):08}@example.com"


class Person(Struct, frozen=True):
    """Someone whose address is, or was, in the registry."""

    id: UUID
    email: str


class OneHash(Hasher):
    """Hashes the password that everyone has once, at its full cost, and compares without: thousands need no hours."""

    _known: str | None = None

    @contextmanager
    def place(self) -> Iterator[Place]:
        yield _Comparing(self._pool, self._decoy_hash)

    async def hash(self, password: str) -> str:
        assert password == PASSWORD
        if self._known is None:
            self._known = await super().hash(password)
        return self._known


class _Comparing(Place):
    async def verify(self, password: str, hashed: str | None) -> Verified:
        return Verified(hashed is not None and password == PASSWORD)


class People:
    """Makes people by the commands that anyone would send."""

    def __init__(self, settings: Settings, handler: Callable[[timedelta], Handler]) -> None:
        self._rules = rules(key_bytes(settings.secret), settings)
        self._now = handler(timedelta())
        self._later = handler(timedelta(hours=settings.verification_hours + 1))

    async def unverified(self) -> Person:
        """Someone who has registered and proved nothing."""
        email = new_email()
        return Person((await self._now.handle(RegisterUser(email, PASSWORD), ANYONE)).result.user_id, email)

    async def known(self) -> Person:
        """Someone who has proved the address."""
        person = await self.unverified()
        expires = datetime.now(UTC) + timedelta(hours=1)
        token = link_token(self._rules.links_key, VERIFY_EMAIL, person.id, 1, expires)
        await self._now.handle(VerifyEmail(person.id, token), ANYONE)
        return person

    async def lapsed(self) -> Person:
        """Someone who registered, proved nothing in time, and has lost the address for it."""
        person = await self.unverified()
        assert (await self._later.handle(LapseRegistration(person.id), ANYONE)).result
        return person

    async def erased(self) -> Person:
        """Someone who had proved the address, and is forgotten."""
        person = await self.known()
        await self._now.handle(EraseUser(person.id), ANYONE)
        return person

    async def with_factor(self) -> Person:
        """Someone of whom an authenticator app is asked for beside the password."""
        person = await self.known()
        enrolled = await self._now.handle(EnrolTotp(person.id), ANYONE)
        code = App(enrolled.result.secret).code()
        await self._now.handle(ConfirmTotp(person.id, code), ANYONE)
        return person

    async def suspended(self) -> Person:
        """Someone who was shut out by an administrator."""
        person = await self.known()
        await self._now.handle(SuspendUser(person.id), ANYONE)
        return person

    async def locked(self) -> Person:
        """Someone whose password strangers have guessed at too often."""
        person = await self.known()
        await self.shut_out(person.email)
        return person

    async def shut_out(self, email: str | None = None) -> str:
        """An address, somebody's or nobody's, at which no stranger has an attempt left."""
        email = email or new_email()
        for _ in range(self._rules.sign_in_attempts):
            with suppress(InvalidCredentials):
                await self._now.handle(SignIn(email, WRONG_PASSWORD), ANYONE)
        return email

    @staticmethod
    async def many(make: Callable[[], Awaitable[T]], count: int) -> list[T]:
        """So many of a kind, many at once."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one() -> T:
            async with free:
                return await make()

        return await asyncio.gather(*(one() for _ in range(count)))


@asynccontextmanager
async def people(database: Database, settings: Settings) -> AsyncIterator[People]:
    """Commands on a store, without an API in front of it, while the context is open."""
    url = database.url("writer")
    pool = await open_pool(url, "people", 8)
    committer = Committer(lambda: connect(url, "people"))
    await committer.start()
    hasher = OneHash(threads=1, queue_size=AT_ONCE)

    def handler(ahead: timedelta) -> Handler:
        return Handler(
            pool,
            committer,
            database.keys,
            rules(key_bytes(settings.secret), settings),
            hasher,
            lambda: datetime.now(UTC) + ahead,
        )

    try:
        yield People(settings, handler)
    finally:
        await committer.stop()
        await pool.close()
        hasher.close()
