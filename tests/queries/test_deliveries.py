"""What is owed and what became of it, asked with the reader's rights."""

from itertools import product

import msgspec
import pytest
from uuid_utils.compat import uuid7

from events.user import UserRegistered, VerificationRequested
from projections.checkpoints import prepare, release, take
from projections.reactions.emails import EMAILS
from queries.deliveries import deliveries, deliveries_left, delivery_by_id
from tests.queries.plans import kept_plans

ADDRESS = "ada@example.com"


@pytest.fixture
async def owed(database, log, connection):
    """Two mails to each of three people, the second ones dead."""
    await prepare(connection, {}, {"emails": 1})
    people = [uuid7() for _ in range(3)]
    for person in people:
        await log.add(person, UserRegistered(ADDRESS), VerificationRequested())
    checkpoint = await take(connection, "emails", 0)
    assert checkpoint
    await EMAILS.begin(connection, checkpoint)
    await EMAILS.step(connection, checkpoint)
    await release(connection, "emails", 0)
    await database.query("UPDATE deliveries SET status = 'dead', cause = '550', attempts = 8 WHERE position % 2 = 0")
    return people


async def test_are_listed_from_the_newest_on_page_by_page(owed, reader_pool):
    seen, after = list[int](), None
    while True:
        page = await deliveries(reader_pool, after=after, limit=4)
        seen += [delivery.position for delivery in page.items]
        assert page.position == 6
        if (after := page.next) is None:
            break
    assert seen == [6, 5, 4, 3, 2, 1]


async def test_filters_combine(owed, reader_pool):
    for status, reaction, subject in product(("dead", "sent", None), ("emails", "webhooks", None), (owed[1], None)):
        page = await deliveries(reader_pool, status=status, reaction=reaction, subject=subject)
        expected = [
            position
            for position in (6, 5, 4, 3, 2, 1)
            if (status is None or (status == "dead" and position % 2 == 0))
            and reaction != "webhooks"
            and (subject is None or position in (3, 4))
        ]
        assert [delivery.position for delivery in page.items] == expected


async def test_a_delivery_tells_everything_but_what_is_personal(owed, reader_pool):
    (newest, *_) = (await deliveries(reader_pool, status="dead")).items
    assert await delivery_by_id(reader_pool, newest.id) == (newest, 6)
    assert (newest.subject, newest.slot, newest.attempts, newest.cause) == (owed[2], "verification", 8, "550")
    assert newest.next_attempt_at is None
    assert ADDRESS.encode() not in msgspec.json.encode(newest)
    assert await delivery_by_id(reader_pool, uuid7()) == (None, 6)


async def test_those_that_are_left_are_counted(owed, reader_pool):
    assert await deliveries_left(reader_pool) == {"waiting": 3, "dead": 3}


@pytest.mark.parametrize(("status", "index"), [("dead", "deliveries_dead_idx"), ("waiting", "deliveries_waiting_idx")])
async def test_the_few_are_found_by_their_index_whatever_plan_is_kept(owed, database, reader_pool, status, index):
    await database.query(
        "INSERT INTO deliveries (id, position, reaction, slot, subject_id, status) "
        "SELECT gen_random_uuid(), number, 'emails', 'verification', gen_random_uuid(), 'sent' "
        "FROM generate_series(7, 10000) AS number"
    )
    await database.query("ANALYZE deliveries")
    async with reader_pool.acquire() as reader:
        assert len((await deliveries(reader, status=status)).items) == 3
        (plan,) = await kept_plans(reader, deliveries(reader, status=status))
    assert index in plan, plan
