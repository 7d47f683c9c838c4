"""Given what happened and a time, then what robots do about it; by whichever worker, once."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.change_email import ChangeEmail
from commands.invite_user import InviteUser
from commands.lapse_registration import LapseRegistration
from commands.refresh_session import RefreshSession
from commands.register_user import RegisterUser
from commands.request_erasure import RequestErasure
from commands.sign_in import SignIn
from commands.verify_email import VerifyEmail
from commands.withdraw_erasure import WithdrawErasure
from events.codec import read_metadata
from events.event import Actor
from events.store import read_log
from events.user import EmailVerified, UserLocked, UserRegistered
from projections.reactions import robots as module
from projections.reactions.robots import ROBOTS, Robot, Robots
from projections.schedules import prepare_schedules
from tests.muster import PASSWORD
from tests.support import until

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Worker:
    """The robots of one worker, at the time of the test's clock."""

    def __init__(self, muster, pool, *, robots=ROBOTS, rules=None, url=None):
        url = url or muster.database.url("writer")
        self.robots = Robots(pool, url, muster.database.master, rules or muster.rules, lambda: muster.now, robots)

    async def run(self, name):
        report = await self.robots.run(name)
        assert report.failed == 0, report.cause
        return dict(report.done)


@pytest.fixture
def worker(muster, projector_pool):
    return Worker(muster, projector_pool)


@pytest.fixture
async def scheduled(muster, projector_pool):
    await prepare_schedules(projector_pool, [robot.name for robot in ROBOTS], muster.now)


async def locked(log, until):
    user_id = uuid7()
    await log.add(user_id, UserRegistered("ada@example.com"), EmailVerified(), UserLocked(until))
    return user_id


async def moved(muster, user_id, email, version):
    """The user has another address: asked for at this version of the stream, and proved."""
    await muster.ask(ChangeEmail(user_id, email, PASSWORD))
    await muster.ask(VerifyEmail(user_id, muster.link(user_id, version)))


async def test_a_lock_is_lifted_when_its_time_is_over(muster, log, view, worker):
    over = muster.now + timedelta(minutes=15)
    user_id = await locked(log, over)
    await view.catch_up()
    muster.now = over - timedelta(seconds=1)
    assert await worker.run("locks") == {}
    muster.now = over
    assert await worker.run("locks") == {"LiftLock": 1}
    await view.catch_up()
    assert (await view.rows())[user_id]["status"] == "active"
    assert await worker.run("locks") == {}


async def test_who_asked_to_be_erased_is_erased_when_it_is_due_and_has_not_withdrawn_it(muster, log, view, worker):
    ada, bob = await muster.registered(), await muster.registered("bob@example.com")
    for user_id in (ada, bob):
        await muster.ask(RequestErasure(user_id, PASSWORD))
    await muster.ask(WithdrawErasure(bob))
    await view.catch_up()
    muster.now += 14 * DAY - HOUR
    assert await worker.run("erasures") == {}
    muster.now += HOUR
    assert await worker.run("erasures") == {"CarryOutErasure": 1}
    assert await worker.run("erasures") == {}, "and the view has not even come to it"
    await view.catch_up()
    assert set(await view.rows()) == {bob}
    assert (await muster.topics()).count("UserErased") == 1


async def test_who_asked_to_be_erased_is_erased_though_the_view_could_not_take_something_of_theirs(
    muster, view, worker, monkeypatch
):
    monkeypatch.setattr("projections.engine.RETRY_SECONDS", 1e18)
    ada = await muster.registered()
    await view.catch_up()
    await view.connection.execute(
        "INSERT INTO parked_events (consumer, partition, position, key, cause) VALUES ($1, 0, 1, $2, 'it tripped')",
        view.model.consumer,
        ada,
    )
    await muster.ask(RequestErasure(ada, PASSWORD))
    await view.catch_up()
    assert len(await view.parked()) == 2
    assert (await view.rows())[ada]["erasure_due_at"] is None
    assert await worker.run("erasures") == {}
    muster.now += 14 * DAY
    assert await worker.run("erasures") == {"CarryOutErasure": 1}


async def test_says_who_it_is_and_what_it_was_asked(muster, log, view, worker):
    await locked(log, muster.now)
    await view.catch_up()
    await worker.run("locks")
    recorded = (await read_log(muster.pool, muster.database.keys, after=0, limit=10))[-1]
    metadata = read_metadata(recorded.metadata)
    assert (metadata.actor, metadata.command) == (Actor("robot", name="locks"), "LiftLock")


async def test_a_view_that_is_behind_makes_it_ask_once_more_and_nothing_happens(muster, log, view, worker):
    await locked(log, muster.now)
    await view.catch_up()
    assert await worker.run("locks") == {"LiftLock": 1}
    assert await worker.run("locks") == {}
    assert (await muster.topics()).count("UserUnlocked") == 1


async def test_finds_everyone_page_by_page(muster, log, view, worker, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    for _ in range(5):
        await locked(log, muster.now)
    await locked(log, muster.now + HOUR)
    await view.catch_up()
    assert await worker.run("locks") == {"LiftLock": 5}


async def test_addresses_are_freed_of_registrations_that_nobody_proved_and_of_users_who_left_them(muster, worker):
    await moved(muster, await muster.registered(), "countess@example.com", version=3)
    await muster.ask(RegisterUser("bob@example.com", PASSWORD))
    muster.now += 71 * HOUR
    assert await worker.run("addresses") == {}
    muster.now += 2 * HOUR
    assert await worker.run("addresses") == {"LapseRegistration": 1, "ReleaseFormerAddress": 1}
    assert len(await muster.database.query("SELECT FROM claims")) == 1
    assert await worker.run("addresses") == {}


@pytest.mark.parametrize(("verification", "undo"), [(72, 24), (24, 72)])
async def test_each_is_freed_after_its_own_time(muster, projector_pool, verification, undo):
    rules = replace(muster.rules, verification_hours=verification, email_undo_hours=undo)
    worker = Worker(muster, projector_pool, rules=rules)
    await moved(muster, await muster.registered(), "countess@example.com", version=3)
    await muster.ask(RegisterUser("bob@example.com", PASSWORD))
    sooner, later = "LapseRegistration", "ReleaseFormerAddress"
    if undo < verification:
        sooner, later = later, sooner
    muster.now += 25 * HOUR
    assert await worker.run("addresses") == {sooner: 1}
    muster.now += 48 * HOUR
    assert await worker.run("addresses") == {later: 1}


async def test_sessions_end_that_were_not_refreshed_in_time(muster, worker):
    await muster.registered()
    await muster.ask(SignIn("ada@example.com", PASSWORD))
    kept = await muster.ask(SignIn("ada@example.com", PASSWORD))
    muster.now += 20 * DAY
    await muster.ask(RefreshSession(kept.refresh_token))
    muster.now += 9 * DAY
    assert await worker.run("sessions") == {}
    muster.now += 2 * DAY
    assert await worker.run("sessions") == {"ExpireSession": 1}
    assert await worker.run("sessions") == {}
    muster.now += 20 * DAY
    assert await worker.run("sessions") == {"ExpireSession": 1}
    assert await muster.database.query("SELECT FROM secrets WHERE kind = 'refresh'") == []


async def test_every_robot_has_its_turn(muster, worker, scheduled):
    assert await worker.robots.take_turns() == sorted(robot.name for robot in ROBOTS)
    assert await worker.robots.take_turns() == []
    muster.now += timedelta(seconds=30)
    assert await worker.robots.take_turns() == ["locks"]


async def test_of_many_workers_one_is_given_the_turn(muster, projector_pool, scheduled):
    workers = [Worker(muster, projector_pool).robots for _ in range(20)]
    for _ in range(5):
        muster.now += HOUR
        turns = await asyncio.gather(*(worker.take_turns() for worker in workers))
        assert sorted(name for names in turns for name in names) == sorted(robot.name for robot in ROBOTS)


async def test_two_that_run_at_once_all_the_same_do_it_once(muster, projector_pool):
    for number in range(5):
        await muster.ask(RegisterUser(f"user{number}@example.com", PASSWORD))
    muster.now += 73 * HOUR
    reports = await asyncio.gather(*(Worker(muster, projector_pool).run("addresses") for _ in range(2)))
    assert sum(report.get("LapseRegistration", 0) for report in reports) == 5
    assert (await muster.topics()).count("RegistrationLapsed") == 5


class Waiting:
    """A robot whose run stands still at its second user, until it is let go."""

    def __init__(self, users, every_seconds=600.0):
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self._users = users
        self.robot = Robot("addresses", every_seconds, self._find, (LapseRegistration,))

    async def _find(self, _turn):
        yield self._users[0]
        self.reached.set()
        await self.go_on.wait()
        for user_id in self._users[1:]:
            yield user_id


@pytest.fixture
async def late(muster):
    """Users who did not prove their addresses in time."""
    users = [(await muster.ask(RegisterUser(f"user{n}@example.com", PASSWORD))).user_id for n in range(3)]
    muster.now += 73 * HOUR
    return users


async def test_what_a_killed_worker_left_another_does_at_the_next_turn(muster, projector_pool, late, scheduled):
    waiting = Waiting(late)
    killed = Worker(muster, projector_pool, robots=(waiting.robot,)).robots
    assert await killed.take_turns() == ["addresses"]
    running = asyncio.create_task(killed.run("addresses"))
    await waiting.reached.wait()
    running.cancel()
    another = Worker(muster, projector_pool)
    assert "addresses" not in await another.robots.take_turns()
    muster.now += timedelta(seconds=600)
    assert "addresses" in await another.robots.take_turns()
    assert await another.run("addresses") == {"LapseRegistration": 2}


async def test_a_long_run_puts_off_the_next_turn(muster, projector_pool, late, scheduled):
    waiting = Waiting(late, every_seconds=0.0)
    worker = Worker(muster, projector_pool, robots=(waiting.robot,))
    running = asyncio.create_task(worker.run("addresses"))
    await waiting.reached.wait()
    muster.now += HOUR
    waiting.go_on.set()
    assert await running == {"LapseRegistration": 3}
    (row,) = await muster.database.query("SELECT due_at FROM schedules WHERE name = 'addresses'")
    assert row["due_at"] == muster.now


async def test_a_run_ends_soon_when_it_is_told_to(muster, projector_pool, late):
    waiting = Waiting(late)
    worker = Worker(muster, projector_pool, robots=(waiting.robot,))
    running = asyncio.create_task(worker.run("addresses"))
    await waiting.reached.wait()
    worker.robots.stop()
    waiting.go_on.set()
    assert await running == {"LapseRegistration": 1}


async def test_one_that_cannot_be_done_does_not_keep_the_others_waiting(muster, worker):
    await muster.registered()
    for _ in range(3):
        await muster.ask(SignIn("ada@example.com", PASSWORD))
    await muster.database.query(
        "UPDATE secrets SET revision = 9 WHERE owner_id = (SELECT owner_id FROM secrets WHERE kind = 'refresh' "
        "ORDER BY owner_id LIMIT 1)"
    )
    muster.now += 31 * DAY
    report = await worker.robots.run("sessions")
    assert (report.done, report.failed) == ({"ExpireSession": 2}, 1)
    assert report.cause.startswith("SealBroken")


async def test_without_a_database_it_waits_for_the_next_turn(muster, projector_pool):
    report = await Worker(muster, projector_pool, url="postgresql://u:p@127.0.0.1:1/none").robots.run("locks")
    assert (report.done, report.failed) == ({}, 1)


async def test_a_robot_of_another_version_is_left_to_that(worker):
    assert await worker.run("unheard of") == {}


async def test_nothing_is_held_between_runs(muster, view, worker):
    await worker.run("locks")

    async def gone():
        return not await muster.database.query("SELECT FROM pg_stat_activity WHERE application_name = 'muster robots'")

    await until(gone)


async def test_invitations_that_nobody_accepted_are_forgotten(muster, worker):
    invited = (await muster.ask(InviteUser("grace@example.com", None, hours=2))).invitation_id
    await muster.ask(InviteUser("ada@example.com", None))
    assert await worker.run("invitations") == {}
    muster.now += 2 * HOUR
    assert await worker.run("invitations") == {"LapseInvitation": 1}
    kept = await muster.database.query("SELECT FROM data_keys WHERE subject_id = $1 AND wrapped IS NULL", invited)
    assert len(kept) == 1
    assert await worker.run("invitations") == {}
