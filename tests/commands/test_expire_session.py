from datetime import timedelta
from uuid import UUID

import pytest

from commands.errors import InvalidRefreshToken
from commands.expire_session import ExpireSession, expiring
from commands.refresh_session import RefreshSession
from commands.refresh_tokens import Family
from commands.session import NO_SESSION, Session
from commands.sign_in import SignIn
from events.codec import SealBroken
from events.session import SessionExpired
from tests.muster import PASSWORD
from tests.support import NOON

ada, session_id = UUID(int=1), UUID(int=3)
ask = ExpireSession(session_id)
EXPIRES = NOON + timedelta(days=30)
family = Family(b"s" * 32, 1, NOON, EXPIRES)
started = Session(1, ada)
DAY = timedelta(days=1)


def test_ends_once_it_cannot_be_refreshed_any_more():
    assert ask.decide(started, family, EXPIRES - timedelta(seconds=1)) == []
    assert ask.decide(started, family, EXPIRES) == [SessionExpired()]


def test_a_refresh_gives_it_more_time():
    assert ask.decide(started, family.rotated(NOON + DAY, 30 * DAY), EXPIRES) == []


@pytest.mark.parametrize("session", [NO_SESSION, Session(2, ada, ended=True)])
def test_asks_nothing_of_what_is_over_or_never_was(session):
    assert ask.decide(session, family, EXPIRES) == []
    assert ask.decide(started, None, EXPIRES) == []


async def expired(muster):
    days = muster.rules.refresh_token_days
    return [found async for found in expiring(muster.pool, muster.database.keys, muster.now, days)]


async def test_drops_its_refresh_tokens_and_says_so_once(muster):
    await muster.registered()
    signed_in = await muster.ask(SignIn("ada@example.com", PASSWORD))
    muster.now += 31 * DAY
    assert await expired(muster) == [signed_in.session_id]
    assert await muster.ask(ExpireSession(signed_in.session_id)) is True
    assert await muster.ask(ExpireSession(signed_in.session_id)) is False
    assert (await muster.topics())[-1] == "SessionExpired"
    assert await expired(muster) == []
    assert await muster.database.query("SELECT FROM secrets WHERE kind = 'refresh'") == []
    with pytest.raises(InvalidRefreshToken):
        await muster.ask(RefreshSession(signed_in.refresh_token))


async def test_finds_those_that_were_not_refreshed_in_time_page_by_page(muster, monkeypatch):
    monkeypatch.setattr("commands.expire_session.PAGE", 2)
    await muster.registered()
    sessions = [await muster.ask(SignIn("ada@example.com", PASSWORD)) for _ in range(5)]
    muster.now += 29 * DAY
    assert await expired(muster) == []
    await muster.ask(RefreshSession(sessions[2].refresh_token))
    muster.now += 2 * DAY
    assert await expired(muster) == [session.session_id for session in sessions if session is not sessions[2]]


async def test_one_that_was_altered_is_found_and_complained_of(muster):
    await muster.registered()
    session_id = (await muster.ask(SignIn("ada@example.com", PASSWORD))).session_id
    await muster.database.query("UPDATE secrets SET revision = 9 WHERE kind = 'refresh'")
    muster.now += 31 * DAY
    assert await expired(muster) == [session_id]
    with pytest.raises(SealBroken):
        await muster.ask(ExpireSession(session_id))
