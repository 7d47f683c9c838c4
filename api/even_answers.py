"""Releases answers on a grid of moments, and a little after them, so that their times tell less of what was done.

The moments are counted from when the request began, and without the time for which a password was hashed: that differs
from one time to the next by as much as the rest of the work takes, so that it would be left to chance, and to that rest,
which moment an answer meets.

An event loop is no clock for that. It waits for whole milliseconds from the moment at which it begins to wait, so that
what the work took below a millisecond would show in the time of the answer. A thread that sleeps does better.

What is left is how quickly a machine sends the answer at that moment: where something was recorded, a worker is awake, and
with it the processor, by hundredths of a millisecond. Each answer is scattered over a hundred times as much, by chance.
"""

import asyncio
import heapq
import itertools
import math
import random
import threading
import time
from typing import Final

from api.bodies import JsonRequest

__all__ = ["EVEN_FROM_STATUS", "EvenAnswers", "even"]

SCATTERED: Final = 0.2
"""The part of the distance from point to point over which answers are scattered."""

EVEN_FROM_STATUS: Final = "even_from_status"
"""Where a scope says from which status on its answer is to wait."""


def even(request: JsonRequest, *, when_refused: bool = False) -> None:
    """Have the answer released on the grid whatever becomes of the request, or only if it is refused."""
    request.scope[EVEN_FROM_STATUS] = 400 if when_refused else 0  # type: ignore[typeddict-unknown-key] # for `Surrounding`


_random: Final = random.SystemRandom().random


class EvenAnswers:
    """The grid of one process, with so many milliseconds from point to point; with 0 there is none."""

    def __init__(self, milliseconds: int) -> None:
        self._distance = milliseconds / 1000
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="even answers", daemon=True)

    def start(self) -> None:
        """Begin to release."""
        self._thread.start()

    def stop(self) -> None:
        """Release all who wait, and end."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    async def point(self, began: float) -> None:
        """Come back soon after the next point, and never before it.

        `began`, from which points are counted, is by `time.perf_counter`.
        """
        if not self._distance:
            return
        points = math.ceil((time.perf_counter() - began) / self._distance) + SCATTERED * _random()
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._changed:
            heapq.heappush(self._waiting, (began + points * self._distance, next(self._numbers), released))
            if self._waiting[0][2] is released:
                self._changed.notify()
        await released

    def _run(self) -> None:
        with self._changed:
            while not self._ended:
                seconds = self._waiting[0][0] - time.perf_counter() if self._waiting else None
                if seconds is None or seconds > 0:
                    self._changed.wait(seconds)
                else:
                    _release(heapq.heappop(self._waiting)[2])
            for _, _, released in self._waiting:
                _release(released)


def _release(released: asyncio.Future[None]) -> None:
    released.get_loop().call_soon_threadsafe(_set, released)


def _set(released: asyncio.Future[None]) -> None:
    if not released.done():
        released.set_result(None)
