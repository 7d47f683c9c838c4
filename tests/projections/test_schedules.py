"""Regular work has turns, and each turn is one worker's."""

import asyncio
from datetime import timedelta

import pytest

from projections.schedules import prepare_schedules, put_off, take_turns
from tests.support import NOON

EVERY = {"locks": 30.0, "addresses": 600.0}


def after(seconds):
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
async def pool(projector_pool):
    await prepare_schedules(projector_pool, list(EVERY), NOON)
    return projector_pool


async def test_new_work_is_due_at_once_and_then_after_each_interval(pool):
    assert await take_turns(pool, EVERY, NOON) == ["addresses", "locks"]
    assert await take_turns(pool, EVERY, after(29.9)) == []
    assert await take_turns(pool, EVERY, after(30)) == ["locks"]
    assert await take_turns(pool, EVERY, after(59.9)) == []
    assert await take_turns(pool, EVERY, after(600)) == ["addresses", "locks"]


async def test_turns_that_nobody_took_are_not_made_up_for(pool):
    assert await take_turns(pool, {"locks": 30.0}, after(3600)) == ["locks"]
    assert await take_turns(pool, {"locks": 30.0}, after(3600)) == []


async def test_a_turn_is_only_taken_by_those_who_know_the_work(pool):
    assert await take_turns(pool, {"locks": 30.0, "unheard of": 1.0}, NOON) == ["locks"]
    assert await take_turns(pool, EVERY, NOON) == ["addresses"]


async def test_preparing_again_changes_nothing(pool):
    assert await take_turns(pool, EVERY, NOON) != []
    await prepare_schedules(pool, [*EVERY, "sessions"], NOON)
    assert await take_turns(pool, {**EVERY, "sessions": 1.0}, NOON) == ["sessions"]


async def test_of_many_who_ask_at_once_exactly_one_is_given_the_turn(pool):
    for turn in range(20):
        now = after(600 * turn)
        taken = await asyncio.gather(*(take_turns(pool, EVERY, now) for _ in range(40)))
        assert sorted(name for names in taken for name in names) == ["addresses", "locks"]


async def test_work_that_goes_on_is_put_off(pool):
    assert "locks" in await take_turns(pool, EVERY, NOON)
    await put_off(pool, "locks", 30, after(20))
    assert await take_turns(pool, EVERY, after(49.9)) == []
    assert await take_turns(pool, EVERY, after(50)) == ["locks"]


async def test_goes_by_the_clock_of_the_database_when_it_is_given_none(pool):
    assert await take_turns(pool, EVERY) == ["addresses", "locks"]
    assert await take_turns(pool, EVERY) == []
