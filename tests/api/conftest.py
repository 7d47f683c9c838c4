"""What tests of the API begin from: one whole Muster that they share, and fresh ones for those that mind."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from projections.reactions.reaction import Reaction
from tests.api.site import LOOK_SECONDS, PASSWORD, Person, Site, in_one_task, projected, served
from tests.support import Database, until

SELDOM_SECONDS = 0.5


@asynccontextmanager
async def whole(
    database: Database, looking_seconds: float = LOOK_SECONDS, reactions: Iterable[Reaction] = (), **changes: Any
) -> AsyncIterator[Site]:
    """A Muster with projections and reactions as `projected` keeps them, and an administrator; `changes` are of its settings."""
    async with served(database, **changes) as made, projected(database, looking_seconds, reactions):
        email = made.new_email()
        body = {"token": made.sign_up_token, "email": email, "password": PASSWORD}
        assert (await made.post("/v1/administrators", body)).status_code == 201
        made.administrator = await made.seen(await made.signed_in(email))
        yield made


@pytest.fixture(scope="package")
async def shared_site(make_database: Callable[[], Any]) -> AsyncIterator[Site]:
    """A whole Muster with an administrator, for all tests of a folder that do not mind each other's events.

    None of them builds a view anew, and what nobody waits for is seldom looked for: it takes time from all others.
    """
    database = await make_database()
    async with database.kept(), in_one_task(whole(database, SELDOM_SECONDS)) as made:
        yield made


@pytest.fixture
async def site(shared_site: Site) -> Site:
    """The shared Muster, following the log: its loop stands still while this process waits for its turn."""

    async def follows() -> bool:
        return shared_site.app.process.revocations.trustworthy

    await until(follows)
    return shared_site


@pytest.fixture
async def fresh(database: Database) -> AsyncIterator[Site]:
    """A whole Muster of the test's own, with an administrator."""
    async with in_one_task(whole(database)) as made:
        yield made


@pytest.fixture(scope="package")
async def auditor(shared_site: Site) -> Person:
    return await shared_site.seen(await shared_site.person("auditor"))


@pytest.fixture(scope="package")
async def somebody(shared_site: Site) -> Person:
    return await shared_site.seen(await shared_site.person())
