"""Counts requests in Redis, for all processes together and atomically.

Requests that come at once are counted in one round trip, as commands that come at once are committed in one transaction:
while one is on its way, the next ones gather. While Redis is away nobody waits for it, and nothing is counted.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from limits.aio.storage.redis.bridge import RedisBridge
from msgspec import Struct
from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

__all__ = ["Bucket", "Counters", "Standing"]

PREFIX: Final = "muster:limits:"
MOST_AT_ONCE: Final = 128
PATIENCE_SECONDS: Final = 0.1
PATIENCE_STEPS: Final = 5
LOOKS_AGAIN_EVERY_SECONDS: Final = 1.0

# The moving window is that of the library, whose scripts are functions here: so one call serves many buckets, by one
# clock, that of Redis. A bucket is left alone when one before it has refused the same request.
_SCRIPT: Final = b"""
local function acquire(KEYS, ARGV)
%s
end
local function look(KEYS, ARGV)
%s
end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local numbers, told, admitted = {}, {}, true
for number in string.gmatch(ARGV[1], '%%d+') do
    table.insert(numbers, tonumber(number))
end
for place = 1, #KEYS do
    local first, quota, window = numbers[3 * place - 2], numbers[3 * place - 1], numbers[3 * place]
    local left, wait = -1, 0
    if admitted or first == 1 then
        admitted = acquire({KEYS[place]}, {now, quota, window, 1})
        local oldest, count = unpack(look({KEYS[place]}, {now - window, quota}))
        left = admitted and quota - count or -1
        wait = math.max(1, math.min(window, math.ceil(oldest + window - now)))
    end
    table.insert(told, left)
    table.insert(told, wait)
end
return table.concat(told, ' ')
""" % (RedisBridge.SCRIPT_ACQUIRE_MOVING_WINDOW, RedisBridge.SCRIPT_MOVING_WINDOW)

_log = structlog.get_logger()


class Bucket(Struct, frozen=True):
    """So many requests are admitted within any stretch of so many seconds."""

    key: str
    quota: int
    seconds: int


class Standing(Struct, frozen=True):
    """How many more requests a bucket admits now, or that it refused this one, and after how many seconds it has more."""

    left: int
    seconds: int
    refused: bool = False


class _Waiting(Struct, frozen=True, eq=False):
    buckets: Sequence[Bucket]
    answer: asyncio.Future[list[Standing] | None]


_PROBE: Final = Bucket("probe", 1, 1)


class Counters:
    """Buckets in Redis, asked by one connection; `in_force` while Redis answers."""

    def __init__(self, url: str) -> None:
        self.in_force = False
        self._redis = Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 1), max_connections=1)
        self._script = self._redis.register_script(_SCRIPT)
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, if that can be done now, and go on trying if not."""
        self.in_force = await self._reached()
        if not self.in_force:
            _log.warning("limits are not in force: Redis does not answer")
        self._task = asyncio.create_task(self._run(), name="counters")

    async def stop(self) -> None:
        """Count no more."""
        self.in_force = False
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._let_pass(self._queue)
        await self._redis.aclose()

    async def take(self, buckets: Sequence[Bucket]) -> list[Standing] | None:
        """Count a request in these buckets, one after the other, up to one that refuses it; None when it cannot be.

        What a request was counted in before it was refused, it stays counted in.
        """
        if not self.in_force:
            return None
        answer: asyncio.Future[list[Standing] | None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(buckets, answer))
        self._wake.set()
        return await answer

    async def _run(self) -> None:
        while True:
            if self.in_force:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._settle([self._queue.popleft() for _ in range(min(len(self._queue), MOST_AT_ONCE))])
            else:
                await asyncio.sleep(LOOKS_AGAIN_EVERY_SECONDS)
                self.in_force = await self._reached()
                if self.in_force:
                    _log.info("limits are in force again")

    async def _settle(self, batch: list[_Waiting]) -> None:
        try:
            answers = await self._count([waiting.buckets for waiting in batch])
        except (RedisError, OSError) as error:
            self.in_force = False
            _log.warning("limits are not in force: Redis does not answer", exc_info=error)
            self._let_pass([*batch, *self._queue])
            self._queue.clear()
            return
        for waiting, standings in zip(batch, answers, strict=True):
            _answer(waiting, standings)

    def _let_pass(self, those: Sequence[_Waiting]) -> None:
        for waiting in those:
            _answer(waiting, None)

    async def _reached(self) -> bool:
        """Whether Redis counts: a server that only answers, full or a replica, would not do."""
        try:
            await self._count([[_PROBE]])
        except (RedisError, OSError):
            return False
        return True

    async def _count(self, requests: Sequence[Sequence[Bucket]]) -> list[list[Standing]]:
        keys: list[str] = []
        numbers: list[str] = []  # as one argument: to encode one takes longer than to read a number from it
        for buckets in requests:
            for place, bucket in enumerate(buckets):
                keys.append(PREFIX + bucket.key)
                numbers.append(f"{0 if place else 1} {bucket.quota} {bucket.seconds}")
        told: bytes = await _in_time(self._script(keys, (" ".join(numbers),)))
        each = map(int, told.split())
        standings = zip(each, each, strict=True)
        return [_until_refused([next(standings) for _ in buckets]) for buckets in requests]


def _until_refused(told: list[tuple[int, int]]) -> list[Standing]:
    standings = []
    for left, seconds in told:
        standings.append(Standing(max(left, 0), seconds, refused=left < 0))
        if left < 0:
            break
    return standings


def _answer(waiting: _Waiting, standings: list[Standing] | None) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(standings)


async def _in_time(answer: Coroutine[Any, Any, Any]) -> Any:
    """The answer, if it comes in time; else TimeoutError.

    Time is counted in steps, so that a process that is itself late does not take that for its server's lateness: or
    whoever keeps it busy would be rid of the limits.
    """
    asking = asyncio.create_task(answer)
    try:
        for _ in range(PATIENCE_STEPS):
            done, _waiting = await asyncio.wait([asking], timeout=PATIENCE_SECONDS / PATIENCE_STEPS)
            if done:
                return asking.result()
    finally:
        asking.cancel()
    await asyncio.wait([asking])
    raise TimeoutError
