"""How long each part of one request takes, waiting included: spans that do not count what other spans within them do."""

import functools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import msgspec

import commands.addresses
import commands.register_user
from api.bodies import JsonRequest
from api.even_answers import EvenAnswers
from api.limits import Limits
from api.metrics import Metrics
from api.request_log import RequestLog
from api.requests import Surrounding
from commands.access_tokens import AccessTokens
from commands.handler import Handler
from commands.passwords import Place
from events.committer import Committer

__all__ = ["middle_half", "parts", "spanned"]

T = TypeVar("T")
WHOLE: Final = "routing, guards and the answer"
SPANS: Final[tuple[tuple[Any, str, str], ...]] = (
    (JsonRequest, "json", "reading the body"),
    (Place, "run", "the hash, in its thread"),
    (asyncpg.Pool, "fetchval", "asking the store"),
    (asyncpg.Pool, "fetchrow", "asking the store"),
    (asyncpg.Pool, "fetch", "asking the store"),
    (commands.addresses, "validate_email", "the address (email-validator)"),
    (commands.register_user, "acceptable", "whether the password is easy to guess"),
    (Limits, "count", "limits"),
    (EvenAnswers, "point", "waiting for an even moment"),
    (Handler, "_record", "encoding and sealing"),
    (Committer, "commit", "the commit, on disk"),
    (Handler, "handle", "the command's rule and its handler"),
    (AccessTokens, "mint", "signing the token"),
    (Metrics, "request", "metrics"),
    (Metrics, "command", "metrics"),
    (RequestLog, "note", "the log line"),
    (Surrounding, "__call__", WHOLE),
)
_taken: ContextVar[dict[str, float] | None] = ContextVar("taken", default=None)
_within: ContextVar[list[float]] = ContextVar("within")


@contextmanager
def spanned(file: Path | None) -> Iterator[None]:
    """Time every request while the context is open, and put the times into the file by route; nothing without one."""
    if file is None:
        yield
        return
    requests: dict[str, list[dict[str, float]]] = {}
    for owner, name, label in SPANS:
        setattr(owner, name, _timed(getattr(owner, name), label))
    answer = Surrounding.__call__

    async def kept(self: Surrounding, scope: Any, receive: Any, send: Any) -> None:
        taken: dict[str, float] = {}
        token = _taken.set(taken)
        _within.set([0.0])
        try:
            await answer(self, scope, receive, send)
        finally:
            _taken.reset(token)
            requests.setdefault(f"{scope.get('method')} {scope['path']}", []).append(taken)

    Surrounding.__call__ = kept  # type: ignore[method-assign] # this process alone, which measures
    try:
        yield
    finally:
        file.write_bytes(msgspec.json.encode(requests))


def _timed(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    """The function, which notes how long it takes less what spans within it take."""

    def begun() -> tuple[float, list[float], Any]:
        within = [0.0]
        return time.perf_counter(), within, _within.set(within)

    def ended(taken: dict[str, float], since: float, within: list[float], token: Any) -> None:
        seconds = time.perf_counter() - since
        _within.reset(token)
        _within.get()[0] += seconds
        taken[label] = taken.get(label, 0.0) + seconds - within[0]

    if not _is_async(function):

        @functools.wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            if (taken := _taken.get()) is None:
                return function(*given, **named)
            span = begun()
            try:
                return function(*given, **named)
            finally:
                ended(taken, *span)

        return timed

    @functools.wraps(function)
    async def timed_async(*given: Any, **named: Any) -> Any:
        if (taken := _taken.get()) is None:
            return await function(*given, **named)
        span = begun()
        try:
            return await function(*given, **named)
        finally:
            ended(taken, *span)

    return timed_async


def _is_async(function: Callable[..., Any]) -> bool:
    return bool(getattr(function, "__code__", None) and function.__code__.co_flags & 0x80)


def parts(requests: list[dict[str, float]]) -> dict[str, float]:
    """The seconds of each part in the middle half of these requests, the longest part first; they add up to the whole."""
    middle = middle_half(requests, key=lambda taken: sum(taken.values()))
    names = dict.fromkeys(name for taken in middle for name in taken)
    means = {name: statistics.fmean(taken.get(name, 0.0) for taken in middle) for name in names}
    return dict(sorted(means.items(), key=lambda item: -item[1]))


def middle_half(values: Iterable[T], key: Callable[[T], float]) -> list[T]:
    """Those between the quartiles: what a disturbed machine did to the others says nothing."""
    ranked = sorted(values, key=key)
    return ranked[len(ranked) // 4 : -(len(ranked) // 4) or None]
