import asyncio

import pytest
from msgspec.structs import replace

from commands.claims import rebuild_claims
from commands.register_user import RegisterUser
from commands.sign_in import SignIn
from events.connections import connect
from tests.muster import PASSWORD

CLAIMS = "SELECT scope, key, owner_id, proven, claimed_at FROM claims ORDER BY key"


@pytest.fixture
async def owner(database):
    connection = await connect(database.owner_url, "tests")
    yield connection
    await connection.close()


async def rebuilt(muster, owner, claims_key=b"claims", **options):
    return [step async for step in rebuild_claims(owner, muster.database.keys, claims_key, **options)]


@pytest.fixture
async def peopled(muster):
    """Some who proved their address, some who did not, some who were superseded, one who was registered again."""
    for number in range(4):
        await muster.registered(f"proved{number}@example.com")
        await muster.ask(RegisterUser(f"waiting{number}@example.com", PASSWORD))
    await muster.ask(RegisterUser("waiting0@example.com", PASSWORD))
    await muster.registered("waiting1@example.com")
    await muster.ask(RegisterUser("proved0@example.com", PASSWORD))
    return muster


async def test_a_rebuild_finds_what_is_there(peopled, owner, monkeypatch):
    before = await peopled.database.query(CLAIMS)
    for page in (5000, 3, 1):
        monkeypatch.setattr("commands.claims.PAGE", page)
        steps = await rebuilt(peopled, owner)
        assert (steps[-1].added, steps[-1].removed, steps[-1].changed) == (0, 0, 0)
        assert [step.position for step in steps] == sorted(step.position for step in steps)
    assert len(before) == 8
    assert await peopled.database.query(CLAIMS) == before


async def test_a_rebuild_repairs_what_was_damaged(peopled, owner):
    before = await peopled.database.query(CLAIMS)
    await owner.execute("DELETE FROM claims WHERE key = (SELECT min(key) FROM claims)")
    await owner.execute("UPDATE claims SET owner_id = gen_random_uuid() WHERE key = (SELECT max(key) FROM claims)")
    await owner.execute("INSERT INTO claims VALUES ('email', 'nobody', gen_random_uuid(), true, now())")
    looked = await rebuilt(peopled, owner, repair=False)
    repaired = await rebuilt(peopled, owner)
    for steps in (looked, repaired):
        assert (steps[-1].added, steps[-1].removed, steps[-1].changed) == (1, 1, 1)
    assert await peopled.database.query(CLAIMS) == before


async def test_people_sign_in_after_the_secret_was_changed_and_claims_rebuilt(peopled, owner):
    steps = await rebuilt(peopled, owner, claims_key=b"another")
    assert (steps[-1].added, steps[-1].removed) == (8, 8)
    peopled.handler._rules = replace(peopled.rules, claims_key=b"another")
    assert await peopled.ask(SignIn("proved2@example.com", PASSWORD))


async def test_registrations_go_on_meanwhile(peopled, owner):
    more = [peopled.ask(RegisterUser(f"late{number}@example.com", PASSWORD)) for number in range(20)]
    await asyncio.gather(rebuilt(peopled, owner), *more)
    after = await rebuilt(peopled, owner)
    assert (after[-1].added, after[-1].removed, after[-1].changed) == (0, 0, 0)
    assert len(await peopled.database.query(CLAIMS)) == 28
