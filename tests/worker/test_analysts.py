"""Real workers publish the views of analysts, whoever reads them meanwhile."""

import asyncpg
from uuid_utils.compat import uuid7

from events.connections import connect
from events.user import UserRegistered
from projections.published_views import PUBLISHED
from tests.support import until


async def published(database) -> bool:
    rows = await database.query("SELECT FROM pg_views WHERE schemaname = 'analytics'")
    return len(rows) == len(PUBLISHED)


async def test_a_worker_makes_them_and_another_one_leaves_them_as_they_are(workers, log):
    await log.add(uuid7(), UserRegistered("ada@example.com"))
    workers.start()
    await until(lambda: published(log.database))
    analyst = await connect(log.database.url("analyst"), "analyst")

    async def counted() -> bool:
        rows = await analyst.fetch("SELECT registrations FROM days WHERE registrations = 1")
        return len(rows) == 1

    await until(counted)
    async with analyst.transaction():
        await analyst.fetch("SELECT * FROM users")
        workers.start()
        await workers.reach(await log.add(uuid7(), UserRegistered("grace@example.com")))
    await analyst.close()


async def test_a_setting_that_hides_small_groups_is_obeyed_once_a_worker_has_it(workers, log):
    workers.start()
    await until(lambda: published(log.database))
    workers.start(smallest_group=5)

    analyst = await connect(log.database.url("analyst"), "analyst")

    async def hidden() -> bool:
        try:
            await analyst.fetch("SELECT * FROM users")
        except asyncpg.InsufficientPrivilegeError:
            return True
        return False

    await until(hidden)
    await analyst.fetch("SELECT * FROM days")
    await analyst.close()
