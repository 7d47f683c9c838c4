"""Who waits for which position: those who are due are found without looking at the others."""

import asyncio
import heapq
import itertools
from typing import Final

__all__ = ["Waiter", "Waiting"]

LEAST_SWEPT: Final = 64


class Waiter:
    """Someone who waits for a position; `reached` is done when it is, or when nobody waits for it any more."""

    __slots__ = ("byte", "position", "reached")

    def __init__(self, byte: int | None, position: int) -> None:
        """`byte` is the last of the subject's id, by which partitions are told; None for all partitions."""
        self.byte = byte
        self.position = position
        self.reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Waiting:
    """Those who wait for one consumer, by partition and in the order of their positions.

    An announcement costs a comparison and, for each who is due, a step down the heap. Those who went away are left where
    they are until they are the most.
    """

    def __init__(self) -> None:
        self._partitions = 0
        self._heaps: dict[int | None, list[tuple[int, int, Waiter]]] = {}
        self._numbers = itertools.count()
        self._waiters: set[Waiter] = set()
        self._gone = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def add(self, waiter: Waiter) -> None:
        """One more, who comes after those who wait for the same position already."""
        self._waiters.add(waiter)
        self._push(waiter)

    def discard(self, waiter: Waiter) -> None:
        """One who waits no more."""
        if waiter not in self._waiters:
            return
        self._waiters.discard(waiter)
        self._gone += 1
        if self._gone > max(len(self._waiters), LEAST_SWEPT):
            self._arrange()

    def divide(self, partitions: int) -> None:
        """There are so many partitions, from now on."""
        if partitions != self._partitions:
            self._partitions = partitions
            self._arrange()

    def reached(self, partition: int | None, position: int) -> None:
        """Answer everyone who is due now that a partition, or (None) the least of them, stands at a position."""
        heap = self._heaps.get(partition)
        while heap and heap[0][0] <= position:
            waiter = heapq.heappop(heap)[-1]
            if waiter in self._waiters:
                self._waiters.discard(waiter)
                if not waiter.reached.done():
                    waiter.reached.set_result(None)
            else:
                self._gone -= 1

    def waits_for_all(self) -> bool:
        """Whether anyone waits for the least of the partitions."""
        return bool(self._heaps.get(None))

    def _push(self, waiter: Waiter) -> None:
        partition = None if waiter.byte is None or not self._partitions else waiter.byte % self._partitions
        heapq.heappush(self._heaps.setdefault(partition, []), (waiter.position, next(self._numbers), waiter))

    def _arrange(self) -> None:
        entries = sorted(entry for heap in self._heaps.values() for entry in heap if entry[-1] in self._waiters)
        self._heaps, self._gone = {}, 0
        for *_, waiter in entries:
            self._push(waiter)
