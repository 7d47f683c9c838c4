"""Asking in random order, and keeping how long each answer took and what it said."""

import asyncio
import gc
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from tests.enumeration.questions import Question
from tests.enumeration.wire import Wire

__all__ = ["Samples", "sample"]

TELL_EVERY_SECONDS: Final = 10


class Samples:
    """What was seen, by question and kind: milliseconds in the order of asking, and the answers without what varies."""

    def __init__(self) -> None:
        self.milliseconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.answers: dict[tuple[str, str], Counter[bytes]] = defaultdict(Counter)


async def sample(
    port: int,
    questions: Iterable[Question],
    count: int,
    chance: random.Random,
    tell: Callable[[str], None],
    *,
    clients: int = 1,
) -> Samples:
    """Ask each kind of each question so many times (more seldom what is beside), by clients that wait for their answers.

    The order is random over the whole, so that neither drift nor what came before can speak for a kind. With several
    clients each is the load of the others: every answer is a sample.
    """
    order = [
        (question, kind)
        for question in questions
        for kind in question.kinds
        for _ in range(question.times(kind, count))
    ]
    chance.shuffle(order)
    samples, begun, told = Samples(), time.monotonic(), time.monotonic()
    left = iter(order)
    done = 0

    async def client() -> None:
        nonlocal done, told
        wire = await Wire.to(port)
        try:
            for question, kind in left:
                await question.ready(wire)
                answer = await wire.ask(next(question.kinds[kind]))
                samples.milliseconds[question.name, kind].append(answer.nanoseconds / 1e6)
                samples.answers[question.name, kind][answer.plain] += 1
                done += 1
                if (now := time.monotonic()) - told > TELL_EVERY_SECONDS:
                    told = now
                    minutes = (now - begun) / done * (len(order) - done) / 60
                    tell(f"{done:,} of {len(order):,}, {minutes:.1f} minutes left")
        finally:
            wire.close()

    gc.collect()
    gc.disable()
    try:
        await asyncio.gather(*(client() for _ in range(clients)))
    finally:
        gc.enable()
    return samples
