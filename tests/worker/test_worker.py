"""Real worker processes on a real PostgreSQL, Valkey and SMTP server, and what befalls them."""

import asyncio
import random
import subprocess
from collections import Counter

import pytest
import redis
from uuid_utils.compat import uuid7

from api.embedded import Valkey
from api.ports import free_port
from events.committer import Committer
from events.connections import connect
from events.migrations.upgrade import migrate
from events.user import DisplayNameChanged, EmailVerified, UserRegistered
from projections.reactions.sending import MOST_CONVERSATIONS
from tests.children import started
from tests.debian import debian_redis
from tests.projections.log import Log
from tests.support import Database, until
from tests.worker.conftest import Workers


def registration(number: int) -> UserRegistered:
    return UserRegistered(f"u{number}@example.com", f"User {number}")


async def test_shows_what_happened_writes_the_mail_and_ends_when_it_is_told_to(log, workers, mail):
    worker = workers.start()
    ada = uuid7()
    position = await log.add(ada, registration(1))
    await workers.reach(position)
    assert (await workers.rows())[ada]["email"] == "u1@example.com"
    await mail.reach(1)
    assert mail.recipients == ["u1@example.com"]
    await workers.stop_at_once(worker)


async def test_killed_workers_lose_nothing_apply_nothing_twice_and_send_nothing_twice(log, workers, mail):
    people = [uuid7() for _ in range(360)]
    kills = 3

    async def live(number: int) -> None:
        await log.add(people[number], registration(number))
        for name in ("A", "B"):
            await asyncio.sleep(random.random() / 5)
            await log.add(people[number], DisplayNameChanged(name))

    async def kill() -> None:
        running = [workers.start(), workers.start()]
        await workers.reach(1)
        for _ in range(kills):
            await asyncio.sleep(1.5 + random.random() / 2)
            workers.kill(running.pop(0))
            running.append(workers.start())

    async def arrive() -> None:
        for start in range(0, len(people), 20):
            await asyncio.gather(*(live(number) for number in range(start, start + 20)))

    await asyncio.gather(arrive(), kill())
    await workers.reach(len(people) * 3)

    rows = await workers.rows()
    assert set(rows) == set(people)
    assert {(row["version"], row["display_name"]) for row in rows.values()} == {(3, "B")}
    database = workers.database
    assert await database.query("SELECT * FROM parked_events") == []

    async def all_sent():
        waiting = await database.query("SELECT id FROM deliveries WHERE status <> 'sent'")
        return not waiting and len(set(mail.ids)) == len(people)

    await until(all_sent)
    attempts = {f"<{row['id']}@localhost>": row["attempts"] for row in await database.query("SELECT * FROM deliveries")}
    assert len(attempts) == len(people)
    sent = Counter(mail.ids)
    assert all(count <= attempts[mail_id] for mail_id, count in sent.items())
    again = [mail_id for mail_id, count in attempts.items() if count > 1]
    assert len(again) <= kills * MOST_CONVERSATIONS, "only what was being sent at a kill is sent again"
    assert set(again) >= {mail_id for mail_id, count in sent.items() if count > 1}


async def test_a_flushed_queue_is_found_out(log, workers, valkey):
    workers.start()
    position = await log.add(uuid7(), registration(1))
    await workers.reach(position)
    with redis.Redis.from_url(valkey.url) as client:
        for number in range(3):
            client.flushall()
            await asyncio.sleep(0.3)
            client.flushall()
            position = await log.add(uuid7(), registration(number + 2))
            await workers.reach(position, 5)


async def test_without_a_queue_the_work_goes_on_and_with_it_as_well(database, log, mail, logged, tmp_path):
    valkey = Valkey(tmp_path / "valkey")
    valkey.start()
    workers = Workers(database, valkey.url, mail, logged)
    try:
        worker = workers.start()
        await workers.reach(await log.add(uuid7(), registration(1)))
        for number in (2, 4):
            valkey.stop()
            await workers.reach(await log.add(uuid7(), registration(number)), 5)
            await mail.reach(number)
            valkey.start()
            await workers.reach(await log.add(uuid7(), registration(number + 1)), 5)
            await mail.reach(number + 1)
        valkey.stop()
        await workers.stop_at_once(worker)
    finally:
        valkey.stop()
        for child in workers.children:
            workers.kill(child)


async def test_a_database_that_crashes_is_waited_for(mortal):
    workers = mortal.workers
    worker = workers.start()
    ada = uuid7()
    await workers.reach(await mortal.log.add(ada, registration(1)))
    mortal.crash()
    await asyncio.sleep(0.5)
    mortal.postgres.start()
    position = await mortal.log.add(ada, EmailVerified())
    await workers.reach(position, 10)
    assert (await workers.rows())[ada]["status"] == "active"
    mortal.crash()
    await workers.stop_at_once(worker)


async def test_it_waits_for_a_database_that_is_not_migrated_yet(postgres, valkey, mail, logged):
    database = Database(await asyncio.to_thread(postgres.create, "unmigrated"))
    workers = Workers(database, valkey.url, mail, logged)
    try:
        worker = workers.start()
        await asyncio.sleep(1.5)
        assert worker.poll() is None
        await migrate(database.owner_url, database.secret)
        committer = Committer(lambda: connect(database.url("writer"), "committer"))
        await committer.start()
        position = await Log(database, committer).add(uuid7(), registration(1))
        await workers.reach(position)
        await committer.stop()
        await workers.stop_at_once(worker)
    finally:
        for child in workers.children:
            workers.kill(child)
        await asyncio.to_thread(postgres.drop, "unmigrated")


@pytest.mark.quiet
async def test_ends_in_time_while_the_mail_server_hangs(log, workers, mail):
    mail.manner = "drag"
    worker = workers.start()
    await log.add(uuid7(), registration(1))
    await mail.reach(1, lambda: mail.attempts)
    assert await workers.stop(worker) < 1.6
    mail.manner = "well"
    workers.start()
    await mail.reach(1)
    (row,) = await workers.database.query("SELECT attempts FROM deliveries")
    assert row["attempts"] == 2


async def test_another_number_of_partitions_is_taken_over_by_all_workers(log, workers):
    people = [uuid7() for _ in range(30)]
    workers.start(partitions=2)
    for number, person in enumerate(people):
        await log.add(person, registration(number))
    await workers.reach(30)
    workers.start(partitions=5)
    checkpoints = "SELECT 1 FROM checkpoints WHERE consumer = 'users_v4'"
    await until(lambda: _counted(workers.database, checkpoints, 5))
    for person in people:
        await log.add(person, EmailVerified())
    await workers.reach(60)
    assert {row["status"] for row in (await workers.rows()).values()} == {"active"}


async def _counted(database, sql, number):
    return len(await database.query(sql)) == number


@pytest.fixture
def redis7(tmp_path):
    program = debian_redis()
    if program is None:
        pytest.skip("Redis is not installed (Debian's package redis-server)")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = started([str(program), *options], stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0"
    server.kill()
    server.wait()


async def test_works_on_postgres_15_and_redis_7(database15, redis7, mail, logged):
    committer = Committer(lambda: connect(database15.url("writer"), "committer"))
    await committer.start()
    log = Log(database15, committer)
    workers = Workers(database15, redis7, mail, logged)
    try:
        worker = workers.start(partitions=3)
        people = [uuid7() for _ in range(30)]
        for number, person in enumerate(people):
            await log.add(person, registration(number), DisplayNameChanged("B"))
        await workers.reach(60)
        assert {row["display_name"] for row in (await workers.rows()).values()} == {"B"}
        await mail.reach(30)
        with redis.Redis.from_url(redis7) as client:
            (group,) = client.xinfo_groups(client.keys("muster:*")[0])
            assert group["entries-read"] > 0
            client.flushall()
        position = await log.add(uuid7(), registration(31))
        await workers.reach(position)
        await workers.stop_at_once(worker)
    finally:
        for child in workers.children:
            workers.kill(child)
        await committer.stop()
