"""In which code processor time is spent: a sample at every tick of it, attributed to the area that it is spent for."""

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

__all__ = ["AREAS", "areas", "sampled"]

EVERY_SECONDS: Final = 0.001
"""Of processor time; the kernel may round it up to its own tick."""

AREAS: Final = (
    ("asyncpg/", "talking to Postgres (asyncpg)"),
    ("redis/", "limits (redis)"),
    ("api/limits", "limits (redis)"),
    ("api/counters", "limits (redis)"),
    ("api/client_addresses", "limits (redis)"),
    ("api/even_answers", "even answers"),
    ("commands/common_passwords", "whether the password is easy to guess"),
    ("structlog/", "the log line (structlog)"),
    ("api/logs", "the log line (structlog)"),
    ("api/request_log", "the log line (structlog)"),
    ("prometheus_client/", "metrics (prometheus-client)"),
    ("api/metrics", "metrics (prometheus-client)"),
    ("email_validator/", "the address (email-validator)"),
    ("commands/addresses", "the address (email-validator)"),
    ("events/keys", "sealing (AES-GCM)"),
    ("events/codec", "encoding the event and its margin"),
    ("events/committer", "gathering the commit"),
    ("events/append", "gathering the commit"),
    ("events/data_keys", "the data key"),
    ("events/", "the log"),
    ("commands/", "the command and its handler"),
    ("api/bodies", "reading the body"),
    ("api/server", "HTTP (uvicorn, httptools)"),
    ("uvicorn/_compat", "the event loop (uvloop)"),
    ("uvicorn/", "HTTP (uvicorn, httptools)"),
    ("litestar/", "the framework (Litestar)"),
    ("multidict/", "the framework (Litestar)"),
    ("api/", "the routes and what surrounds them"),
)
OTHER: Final = "the rest"


def area(frame: FrameType | None) -> str:
    """The area of the innermost frame that has one."""
    while frame is not None:
        name = frame.f_code.co_filename
        for part, found in AREAS:
            if f"/{part}" in name:
                return found
        frame = frame.f_back
    return OTHER


@contextmanager
def sampled(file: Path | None) -> Iterator[None]:
    """Count samples of the main thread between SIGUSR1 and SIGUSR2, and put them into the file; nothing without one."""
    if file is None:
        yield
        return
    counted: Counter[str] = Counter()

    def count(_number: int, frame: FrameType | None) -> None:
        counted[area(frame)] += 1

    def begin(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    for number, handle in ((signal.SIGPROF, count), (signal.SIGUSR1, begin), (signal.SIGUSR2, end)):
        signal.signal(number, handle)
        signal.siginterrupt(number, False)
    try:
        yield
    finally:
        file.write_bytes(msgspec.json.encode(counted))


def areas(counted: Mapping[str, int], microseconds: float) -> list[tuple[str, float]]:
    """What each area takes of so many µs, the most first."""
    total = sum(counted.values())
    return [(name, microseconds * count / total) for name, count in Counter(counted).most_common()]
