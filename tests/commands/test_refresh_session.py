import asyncio
from datetime import date, timedelta
from uuid import UUID

import pytest

from commands.end_all_sessions import EndAllSessions
from commands.errors import InvalidRefreshToken
from commands.refresh_session import RefreshSession
from commands.session import Session, fold
from commands.sign_in import SignIn
from events.session import SessionContinued, SessionStarted
from tests.muster import PASSWORD
from tests.support import NOON, History

ada = UUID(int=1)
ask = RefreshSession("a token")
seen = Session(1, ada, seen_on=NOON.date())
MIDNIGHT = NOON + timedelta(hours=12)


def test_a_session_that_goes_on_is_noted_on_the_next_day():
    assert ask.decide_noted(seen, MIDNIGHT - timedelta(seconds=1)) == []
    assert ask.decide_noted(seen, MIDNIGHT) == [SessionContinued()]


def test_a_clock_that_is_behind_the_logs_notes_nothing():
    assert ask.decide_noted(seen, NOON - timedelta(days=1)) == []


def test_a_session_is_noted_once_a_day_and_goes_on():
    started, continued = History("session").of(SessionStarted(ada, "password"), SessionContinued())
    assert fold([started]).seen_on == date(2026, 3, 1)
    session = fold([started, continued])
    assert (session.version, session.seen_on, session.ended) == (2, continued.recorded_at.date(), False)
    assert ask.decide_noted(session, continued.recorded_at) == []


@pytest.fixture
async def signed_in(muster):
    await muster.registered()
    return await muster.ask(SignIn("ada@example.com", PASSWORD))


async def test_going_on_is_recorded_on_a_later_day_and_not_for_an_answer_that_was_lost(muster, signed_in):
    again = await muster.ask(RefreshSession(signed_in.refresh_token))
    assert (await muster.topics())[-1] == "SessionStarted"
    muster.now += timedelta(days=1)
    next_day = await muster.ask(RefreshSession(again.refresh_token))
    lost = await muster.ask(RefreshSession(again.refresh_token))
    assert lost.refresh_token == next_day.refresh_token
    assert (await muster.topics())[-2:] == ["SessionStarted", "SessionContinued"]


async def test_a_spent_token_on_a_later_day_ends_the_session_and_does_not_go_on(muster, signed_in):
    await muster.ask(RefreshSession(signed_in.refresh_token))
    muster.now += timedelta(days=1)
    with pytest.raises(InvalidRefreshToken):
        await muster.ask(RefreshSession(signed_in.refresh_token))
    assert (await muster.topics())[-2:] == ["SessionStarted", "RefreshTokenReused"]


async def test_a_session_that_went_on_ends_with_all_others(muster, signed_in):
    muster.now += timedelta(days=1)
    next_day = await muster.ask(RefreshSession(signed_in.refresh_token))
    await muster.ask(EndAllSessions(signed_in.user_id))
    assert (await muster.topics())[-3:] == ["SessionContinued", "SignedOutEverywhere", "SessionEnded"]
    with pytest.raises(InvalidRefreshToken):
        await muster.ask(RefreshSession(next_day.refresh_token))


async def test_two_who_refresh_at_once_on_a_later_day_record_it_once(muster, signed_in):
    muster.now += timedelta(days=1)
    one, other = await asyncio.gather(*(muster.ask(RefreshSession(signed_in.refresh_token)) for _ in range(2)))
    assert one.refresh_token == other.refresh_token
    assert (await muster.topics()).count("SessionContinued") == 1
