"""Questions that many ask at once are asked together."""

import asyncio

import pytest

from events.codec import SealBroken
from events.connections import connect
from events.event import UnknownEvent
from events.gathering import Gathered
from events.store import read_stream, read_streams
from tests.events.test_committer import verified
from tests.support import until


class Oracle:
    """Answers each key with its double, when told to."""

    def __init__(self):
        self.asked = []
        self.may_answer = asyncio.Event()

    async def __call__(self, keys):
        self.asked.append(list(keys))
        await self.may_answer.wait()
        return {key: KeyError(key) if key < 0 else key * 2 for key in keys}


async def test_those_who_ask_meanwhile_are_answered_by_the_next_round_trip():
    oracle = Oracle()
    gathered = Gathered(oracle)
    asking = [asyncio.create_task(gathered.answer(key)) for key in (1, 2)]
    await asyncio.sleep(0)
    asking += [asyncio.create_task(gathered.answer(key)) for key in (3, 4, 3)]
    await asyncio.sleep(0)
    oracle.may_answer.set()
    assert await asyncio.gather(*asking) == [2, 4, 6, 8, 6]
    assert sum(len(keys) for keys in oracle.asked) == 4
    assert len(oracle.asked) <= 3


async def test_whoever_asks_again_as_the_last_round_trips_end_is_answered():
    oracle = Oracle()
    gathered = Gathered(oracle)

    async def twice():
        return await gathered.answer(1), await gathered.answer(1)

    asking = asyncio.create_task(twice())
    await until(lambda: has_been_asked(oracle, 1))
    other = asyncio.create_task(gathered.answer(2))
    await until(lambda: has_been_asked(oracle, 2))
    oracle.may_answer.set()
    async with asyncio.timeout(5):
        assert await asking == (2, 2)
    assert await other == 4


async def has_been_asked(oracle, times):
    return len(oracle.asked) == times


async def test_an_error_is_the_answer_of_its_key_alone():
    oracle = Oracle()
    oracle.may_answer.set()
    gathered = Gathered(oracle)
    found = await asyncio.gather(gathered.answer(1), gathered.answer(-1), return_exceptions=True)
    assert found[0] == 2
    assert isinstance(found[1], KeyError)


async def test_what_fails_as_a_whole_fails_for_all_and_leaves_nothing_behind():
    fails = True

    async def ask(keys):
        if fails:
            raise ConnectionError
        return dict.fromkeys(keys, "an answer")

    gathered = Gathered(ask)
    found = await asyncio.gather(*(gathered.answer(key) for key in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionError] * 3
    fails = False
    assert await gathered.answer(0) == "an answer"


async def test_whoever_goes_away_takes_nobodys_answer():
    oracle = Oracle()
    gathered = Gathered(oracle)
    gone, stays = (asyncio.create_task(gathered.answer(1)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    oracle.may_answer.set()
    assert await stays == 2


async def test_streams_are_read_together_as_each_alone(database, committer):
    appends = [verified() for _ in range(5)]
    await asyncio.gather(*(committer.commit(append) for append in appends))
    streams = [append.events[0].stream_id for append in appends]
    connection = await connect(database.owner_url, "tests")
    together = await read_streams(connection, database.keys, streams)
    for stream in streams:
        assert together[stream] == await read_stream(connection, database.keys, stream)
    await connection.execute("ALTER TABLE stored_events DISABLE TRIGGER append_only")
    await connection.execute("UPDATE stored_events SET topic = 'FromTheFuture' WHERE originator_id = $1", streams[0])
    await connection.execute("UPDATE stored_events SET state = '[' WHERE originator_id = $1", streams[1])
    together = await read_streams(connection, database.keys, streams)
    await connection.close()
    assert isinstance(together[streams[0]], UnknownEvent)
    assert isinstance(together[streams[1]], (SealBroken, ValueError))
    assert [isinstance(together[stream], list) for stream in streams] == [False, False, True, True, True]


@pytest.mark.parametrize("count", [1, 300])
async def test_as_many_as_one_likes_are_answered(count):
    oracle = Oracle()
    oracle.may_answer.set()
    gathered = Gathered(oracle)
    assert await asyncio.gather(*(gathered.answer(key) for key in range(count))) == [key * 2 for key in range(count)]
    assert max(map(len, oracle.asked)) <= 256
