"""Questions that many ask at once, asked of the database together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

__all__ = ["Gathered"]

K = TypeVar("K")
V = TypeVar("V")

MOST_AT_ONCE: Final = 256
MOST_UNDER_WAY: Final = 2


class Gathered(Generic[K, V]):
    """One kind of question. While answers are on their way, those who ask gather, and are answered by the next round trip.

    No timer: whoever asks alone is answered as soon as without. What is answered was read after it was asked.
    """

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]]) -> None:
        """`ask` answers each of some keys with a value or, for that one alone, an error."""
        self._ask = ask
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._under_way: set[asyncio.Task[Any] | None] = set()

    async def answer(self, key: K) -> V:
        """The answer for a key. Raises the error of that key, or what the question as a whole failed with."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        if len(self._under_way) < MOST_UNDER_WAY:
            self._under_way.add(asyncio.create_task(self._answer_all()))
        return await answer

    async def _answer_all(self) -> None:
        try:
            await self._answer_while_asked()
        finally:  # in one go with the last look at who waits: a callback would come after those who ask meanwhile
            self._under_way.remove(asyncio.current_task())

    async def _answer_while_asked(self) -> None:
        while self._waiting:
            keys = list(self._waiting)[:MOST_AT_ONCE]
            asked = {key: self._waiting.pop(key) for key in keys}
            try:
                answers: Mapping[K, Any] = await self._ask(keys)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer of all who asked
                answers = dict.fromkeys(keys, error)
            for key, waiting in asked.items():
                for one in waiting:
                    _settle(one, answers[key])


def _settle(waiting: asyncio.Future[Any], answer: Any) -> None:
    if waiting.done():  # whoever asked has gone away
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
