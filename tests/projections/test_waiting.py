"""Who waits for a position: those who are due are found without looking at the others."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.waiting import LEAST_SWEPT, Waiter, Waiting


class Counting(int):
    """A position that counts how often another is compared with it."""

    compared = 0

    def __ge__(self, other: Any) -> bool:
        Counting.compared += 1
        return int(self) >= int(other)


async def test_an_announcement_that_concerns_nobody_costs_one_look_at_ten_thousand():
    waiting = Waiting()
    waiting.divide(4)
    for number in range(10_000):
        waiting.add(Waiter(number % 256, 1_000 + number))
    Counting.compared = 0
    waiting.reached(1, Counting(999))
    assert Counting.compared == 1
    waiting.reached(1, Counting(1_000 + 5))
    assert Counting.compared == 1 + 3, "two were due, and one was not"
    assert len(waiting) == 9_998


async def test_those_who_are_due_at_once_are_answered_in_the_order_in_which_they_came():
    waiting, answered = Waiting(), list[asyncio.Future[None]]()
    waiting.divide(1)
    waiters = [Waiter(7, 5) for _ in range(50)]
    for waiter in waiters:
        waiter.reached.add_done_callback(answered.append)
        waiting.add(waiter)
    waiting.reached(0, 5)
    await asyncio.sleep(0)
    assert answered == [waiter.reached for waiter in waiters]


async def test_those_who_go_away_do_not_pile_up():
    waiting = Waiting()
    waiting.divide(2)
    for _ in range(1_000):
        waiter = Waiter(3, 2**62)
        waiting.add(waiter)
        waiting.discard(waiter)
        waiting.discard(waiter)
    assert len(waiting) == 0
    assert sum(map(len, waiting._heaps.values())) <= LEAST_SWEPT


positions = st.integers(1, 20)
steps = st.one_of(
    st.tuples(st.just("wait"), st.none() | st.integers(0, 7), positions),
    st.tuples(st.just("leave"), st.integers(0, 50), st.none()),
    st.tuples(st.just("move"), st.integers(0, 3), positions),
    st.tuples(st.just("divide"), st.integers(1, 4), st.none()),
)


@given(st.lists(steps, max_size=60))
async def test_is_answered_exactly_who_is_due(taken):
    waiting, waiters, stands = Waiting(), list[Waiter](), dict.fromkeys(range(2), 0)
    waiting.divide(2)
    for what, number, position in taken:
        if what == "wait":
            waiters.append(Waiter(number, position))
            waiting.add(waiters[-1])
        elif what == "leave" and waiters:
            left = waiters.pop(number % len(waiters))
            waiting.discard(left)
        elif what == "move" and number in stands:
            stands[number] = max(stands[number], position)
        elif what == "divide":
            stands = dict.fromkeys(range(number), min(stands.values()))
            waiting.divide(number)
        for partition, reached in stands.items():
            waiting.reached(partition, reached)
        waiting.reached(None, min(stands.values()))
        for waiter in waiters:
            at = min(stands.values()) if waiter.byte is None else stands[waiter.byte % len(stands)]
            if at >= waiter.position:
                assert waiter.reached.done()
        waiters = [waiter for waiter in waiters if not waiter.reached.done()]
        assert len(waiting) == len(waiters)
