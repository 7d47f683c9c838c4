"""A whole Muster in one process: the API on a real store, and the projections that its views are made by."""

import asyncio
import base64
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import httpx
from msgspec import Struct

from api.app import create_app
from api.migrating import migrated
from api.requests import Surrounding
from commands.links import VERIFY_EMAIL, link_token
from events.connections import connect, open_pool
from events.keys import derived
from events.tail import Wakeups
from projections.checkpoints import prepare
from projections.models import MODELS
from projections.reactions.reaction import Reaction
from projections.slices import Slices
from projections.tables import Tables
from settings import Settings
from tests.projections.serving import serve
from tests.support import Database

__all__ = [
    "BASE_URL",
    "LOOK_SECONDS",
    "PASSWORD",
    "Asker",
    "Person",
    "Site",
    "environment_for",
    "in_one_task",
    "projected",
    "served",
    "settings_for",
]

BASE_URL: Final = "https://muster.example"
PASSWORD: Final = "a horse, a staple, a battery"
PARTITIONS: Final = 2
LOOK_SECONDS: Final = 0.05
_numbers = itertools.count(1)
T = TypeVar("T")


class Person(Struct):
    """Someone who has signed in."""

    id: UUID
    email: str
    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """What proves who they are."""
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def session_id(self) -> str:
        """The session that they opened last."""
        return str(self.tokens["session_id"])


class Asker(Protocol):
    """Whoever can prove who they are."""

    @property
    def headers(self) -> dict[str, str]:
        """What proves it."""


def settings_for(database: Database, **changes: Any) -> Settings:
    """Settings of a process on this database; the database's URL is the owner's."""
    values: dict[str, Any] = {
        "environment": "production",
        "database_url": database.owner_url,
        "redis_url": "redis://127.0.0.1:1/0",
        "smtp_url": "smtp://127.0.0.1:1",
        "base_url": BASE_URL,
        "master_key": base64.urlsafe_b64encode(database.master_key).decode(),
        "secret": base64.urlsafe_b64encode(database.secret).decode(),
        "hash_threads": 2,
        "hash_queue": 500,
        "even_answers_milliseconds": 0,  # what is about them asks for them; to all others they are waiting
    }
    return Settings(**values | changes)


def environment_for(database: Database, **changes: str) -> dict[str, str]:
    """The environment of a process with these settings."""
    settings = settings_for(database)
    names = ("environment", "database_url", "redis_url", "smtp_url", "base_url", "master_key", "secret")
    given = {f"MUSTER_{name.upper()}": str(getattr(settings, name)) for name in names}
    return {
        "PATH": os.environ["PATH"],
        "PGSSLMODE": "disable",
        "MUSTER_MAIL_FROM": "Muster <no-reply@muster.example>",
        **given,
        **changes,
    }


@asynccontextmanager
async def projected(
    database: Database, looking_seconds: float = LOOK_SECONDS, reactions: Iterable[Reaction] = ()
) -> AsyncIterator[None]:
    """All views, all tables of which are kept at the log's end as a worker does it; it looks for new ones now and then.

    What `reactions` owe is written down in the same way. Nothing is sent.
    """
    url, reacting = database.url("projector"), {reaction.name: reaction for reaction in reactions}
    pool = await open_pool(url, "projector", 3 * PARTITIONS * len(MODELS) + len(reacting) + 2)
    wakeups = Wakeups(lambda: connect(url, "projector"))
    await wakeups.start()
    tables = Tables(MODELS, database.keys)
    async with pool.acquire() as connection:
        for model in MODELS:
            await serve(connection, model, PARTITIONS, database.role("reader"))
        await prepare(connection, {}, dict.fromkeys(reacting, 1))
    slices = Slices(pool, wakeups, database.keys, lambda _consumer, _events: None)
    holding: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def held(name: str, partition: int) -> None:
        while not slices.stopping and (consumer := tables.projectors.get(name) or reacting.get(name)):
            if not await slices.hold(consumer, partition):
                await asyncio.sleep(LOOK_SECONDS)

    async def look() -> None:
        while not slices.stopping:
            await tables.look(pool)
            places = itertools.product(tables.projectors, range(PARTITIONS))
            for place in (*places, *itertools.product(reacting, range(1))):
                if place not in holding or holding[place].done():
                    holding[place] = asyncio.create_task(held(*place))
            await asyncio.sleep(looking_seconds)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        slices.stop()
        await looking
        await asyncio.gather(*holding.values())
        await wakeups.stop()
        await pool.close()


@asynccontextmanager
async def in_one_task(context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave in the same task, as the framework's lifespan has to be; fixtures are left in another."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def live() -> None:
        try:
            async with context as made:
                entered.set_result(made)
                await leave.wait()
        except BaseException as error:
            if entered.done():
                raise
            entered.set_exception(error)

    task = asyncio.create_task(live())
    try:
        yield await entered
    finally:
        leave.set()
        await task


class Site:
    """An API process, and what tests ask of it."""

    def __init__(self, database: Database, settings: Settings, app: Surrounding, client: httpx.AsyncClient) -> None:
        self.database = database
        self.settings = settings
        self.app = app
        self.client = client
        self.sign_up_token: str | None = None

    async def request(self, method: str, path: str, person: Asker | None = None, **options: Any) -> httpx.Response:
        """Ask as a person, as whoever else can prove who they are, or as nobody; from a device that has kept nothing."""
        self.client.cookies.clear()
        headers = {**(person.headers if person else {}), **options.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **options)

    async def get(self, path: str, person: Asker | None = None, **options: Any) -> httpx.Response:
        """GET as a person, or as nobody."""
        return await self.request("GET", path, person, **options)

    async def post(self, path: str, json: Any, person: Asker | None = None, **options: Any) -> httpx.Response:
        """POST as a person, or as nobody."""
        return await self.request("POST", path, person, json=json, **options)

    def link(self, user_id: UUID | str, version: int = 1, hours: float = 72, purpose: str = VERIFY_EMAIL) -> str:
        """The token that is mailed for the event at this version of the user's stream."""
        key = derived(self.database.secret, "links")
        return link_token(key, purpose, UUID(str(user_id)), version, datetime.now(UTC) + timedelta(hours=hours))

    async def newest_link(self, user_id: UUID | str, topic: str, purpose: str = VERIFY_EMAIL, hours: float = 72) -> str:
        """The token that is mailed for the newest event of a type in the user's stream."""
        (row,) = await self.database.query(
            "SELECT max(originator_version) AS version FROM stored_events WHERE originator_id = $1 AND topic = $2",
            UUID(str(user_id)),
            topic,
        )
        assert row["version"], f"there was no {topic}"
        return self.link(user_id, row["version"], hours, purpose)

    @staticmethod
    def new_email() -> str:
        """An address that nobody has."""
        return f"person{next(_numbers)}@example.com"

    async def registered(self, email: str | None = None, password: str = PASSWORD) -> str:
        """The id of someone who has registered."""
        answer = await self.post("/v1/users", {"email": email or self.new_email(), "password": password})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def person(self, *roles: str, email: str | None = None) -> Person:
        """Someone who has proved their address, was granted these roles, and has signed in."""
        email = email or self.new_email()
        user_id = await self.registered(email)
        proved = await self.post(f"/v1/users/{user_id}/email/verify", {"token": self.link(user_id)})
        assert proved.status_code == 204, proved.text
        for role in roles:
            granted = await self.request("PUT", f"/v1/users/{user_id}/roles/{role}", self.administrator)
            assert granted.status_code == 204, granted.text
        return await self.signed_in(email)

    async def signed_in(self, email: str, password: str = PASSWORD) -> Person:
        """The person with this address, in a new session."""
        answer = await self.post("/v1/sessions", {"email": email, "password": password})
        assert answer.status_code == 201, answer.text
        return Person(UUID(answer.json()["user_id"]), email, answer.json())

    async def moved(self, person: Person) -> str:
        """The address to which they have changed theirs, and which they have proved."""
        email, path = self.new_email(), f"/v1/users/{person.id}/email"
        asked = await self.post(f"{path}/change", {"email": email, "password": PASSWORD}, person)
        assert asked.status_code == 204, asked.text
        proof = await self.newest_link(person.id, "EmailChangeRequested")
        proved = await self.post(f"{path}/verify", {"token": proof})
        assert proved.status_code == 204, proved.text
        return email

    async def seen(self, person: Person) -> Person:
        """The same person, once the view shows them."""
        head = str(await self.head())
        answer = await self.get("/v1/me", person, headers={"Min-Position": head, "Prefer": "wait=10"})
        assert answer.status_code == 200, answer.text
        return person

    async def head(self) -> int:
        """The log's end."""
        rows = await self.database.query("SELECT coalesce(max(notification_id), 0) AS head FROM stored_events")
        return int(rows[0]["head"])

    async def events_after(self, position: int) -> list[str]:
        """What was recorded since."""
        rows = await self.database.query(
            "SELECT topic FROM stored_events WHERE notification_id > $1 ORDER BY notification_id", position
        )
        return [row["topic"] for row in rows]

    administrator: Person


@asynccontextmanager
async def served(database: Database, **changes: Any) -> AsyncIterator[Site]:
    """An API process on a database; migrated, but without anyone in it."""
    settings = settings_for(database, **changes)
    token = await migrated(settings)
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type] # its types of ASGI are looser than the framework's
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(app.lifespan())
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=settings.base_url))
        site = Site(database, settings, app, client)
        site.sign_up_token = token
        yield site
