"""The tasks of workers on a Redis stream. Never the truth: what the queue loses, a heartbeat finds in the database.

So messages are acknowledged when they are received, the stream is kept short, and what is delivered twice does no harm.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisStreamBroker

from projections.causes import told

__all__ = ["Queue"]

KICK_SECONDS: Final = 0.5
DOWN_SECONDS: Final = 1.0
RECEIVE_AGAIN_SECONDS: Final = 0.2

_log = structlog.get_logger()


class Queue:
    """A taskiq broker that says when it is away, and comes back by itself."""

    def __init__(self, url: str, name: str) -> None:
        self._broker = RedisStreamBroker(
            url,
            queue_name=name,
            consumer_group_name="workers",
            consumer_id="0",  # a new group reads what was kicked before it was made
            xread_count=4,  # a worker takes no more than it can begin, the others get the rest
            xread_block=2_000,
            maxlen=1_000,
            unacknowledged_lock_timeout=5,
            socket_connect_timeout=2,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        ).with_serializer(JSONSerializer())
        self._tasks: dict[str, Any] = {}
        self._down_until = 0.0

    def register(self, name: str, task: Callable[..., Awaitable[None]]) -> None:
        """What to do when `name` is kicked."""
        self._tasks[name] = self._broker.register_task(task, task_name=name)

    async def kick(self, name: str, *arguments: Any) -> bool:
        """Have a task done by any worker, once at least or, if the queue is lost, never; False when the queue is away."""
        now = asyncio.get_running_loop().time()
        if now < self._down_until:
            return False
        try:
            async with asyncio.timeout(KICK_SECONDS):
                await self._tasks[name].kiq(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever the queue's trouble is, the work goes on without it
            if now - self._down_until > 2 * DOWN_SECONDS:
                _log.warning("queue away", error=told(error.__cause__ or error))
            self._down_until = asyncio.get_running_loop().time() + DOWN_SECONDS
            return False
        return True

    async def receive(self, finished: asyncio.Event, most_tasks: int) -> None:
        """Do what is kicked, until finished. The group of readers is made anew where it is lost, as by FLUSHALL."""
        failures = 0
        while not finished.is_set():
            try:
                await self._broker.startup()
                failures = 0
                receiver = Receiver(
                    self._broker,
                    max_async_tasks=most_tasks,
                    run_startup=False,
                    ack_type=AcknowledgeType.WHEN_RECEIVED,
                    wait_tasks_timeout=0,
                )
                await receiver.listen(finished)
            except (RedisError, OSError, ExceptionGroup) as error:
                if failures == 1:
                    _log.warning("cannot receive", error=told(_innermost(error)))
                failures += 1
                await asyncio.sleep(RECEIVE_AGAIN_SECONDS)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._broker.shutdown()


def _innermost(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
