"""Robots in real worker processes: one of them has the turn, and another when it is gone."""

from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from events.user import EmailVerified, UserLocked, UserRegistered
from tests.support import until
from tests.worker.conftest import Workers


class Locks:
    """Locks whose time is over, and turns of the robot that lifts them."""

    def __init__(self, database, log):
        self.database, self._log = database, log
        self.lifted = 0

    async def lock(self, workers):
        """One more, which the view shows."""
        over = datetime.now(UTC) - timedelta(minutes=1)
        email = f"user{self.lifted}@example.com"
        await workers.reach(await self._log.add(uuid7(), UserRegistered(email), EmailVerified(), UserLocked(over)))

    async def turn_comes(self):
        """It is due now, and lifts one lock."""
        await self.database.query("UPDATE schedules SET due_at = now() WHERE name = 'locks'")
        self.lifted += 1
        await until(self._are_lifted)

    async def _are_lifted(self):
        rows = await self.database.query("SELECT FROM stored_events WHERE topic = 'UserUnlocked'")
        assert len(rows) <= self.lifted
        return len(rows) == self.lifted


@pytest.fixture
def locks(database, log):
    return Locks(database, log)


async def test_a_killed_workers_robots_are_run_by_another(workers, locks):
    first, _second = workers.start(), workers.start()
    await locks.lock(workers)
    await locks.turn_comes()
    workers.kill(first)
    await locks.lock(workers)
    await locks.turn_comes()


async def test_robots_run_without_a_queue(database, mail, logged, locks):
    workers = Workers(database, "redis://127.0.0.1:1/0", mail, logged)
    try:
        worker = workers.start()
        await locks.lock(workers)
        await locks.turn_comes()
        await workers.stop_at_once(worker)
    finally:
        for child in workers.children:
            workers.kill(child)
