"""A handler for every test of commands that wants one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from commands.passwords import Hasher
from events.committer import Committer
from tests.commands.muster import Muster
from tests.support import Database


@pytest.fixture
async def muster(database: Database, writer_pool: Any, committer: Committer) -> AsyncIterator[Muster]:
    hasher = Hasher(threads=2, queue_size=200)
    yield Muster(database, writer_pool, committer, hasher)
    hasher.close()
