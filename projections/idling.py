"""How often a partition says that it looked through the log and found nothing: what does not concern it is no work.

Each event of the log wakes every partition, and most are of no concern to most. A move of a checkpoint is a transaction,
and an announcement that takes turns with all others; so those of idle partitions are gathered for some milliseconds. What
was looked through meanwhile is remembered, and not looked through again.
"""

import time
from collections.abc import Callable

from msgspec import Struct

from projections.checkpoints import Checkpoint
from projections.following import Next

__all__ = ["Idling"]


class _Idle(Struct):
    looked: int = 0
    told: float = float("-inf")


class Idling:
    """The idle partitions of one consumer in one process; each tells at most once in so many seconds, and at once after a while."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._partitions: dict[int, _Idle] = {}

    def begin(self, checkpoint: Checkpoint) -> None:
        """Forget what was looked through: the partition was another's meanwhile, or is another one now."""
        self._of(checkpoint).looked = 0

    def looked(self, checkpoint: Checkpoint) -> int:
        """The position up to which nothing is left that concerns the partition."""
        return max(checkpoint.position, self._of(checkpoint).looked)

    def rests(self, checkpoint: Checkpoint, found: Next) -> float:
        """For how many seconds more nothing need be said of a look that found nothing; 0 when it is to be said now."""
        idle, now = self._of(checkpoint), self._clock()
        idle.looked = found.position
        if found.behind or (rest := idle.told + self._seconds - now) <= 0:
            idle.told = now
            return 0
        return rest

    def _of(self, checkpoint: Checkpoint) -> _Idle:
        return self._partitions.setdefault(checkpoint.partition, _Idle())
