"""A whole Muster behind a socket, which hashes passwords cheaply and keeps what it logs."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog

from api import logs
from projections.concerns import REACTIONS
from tests.api.conftest import whole
from tests.api.site import Site
from tests.hashes import cheap_hashes
from tests.sockets import listening
from tests.support import Database

__all__ = ["House", "house", "kept_log"]


class House:
    """Where it can be asked, what it is made of, and what it has logged."""

    def __init__(self, site: Site, port: int, log: io.BytesIO) -> None:
        self.site = site
        self.url = f"http://127.0.0.1:{port}"
        self.loop = asyncio.get_running_loop()
        self._log = log

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines that were logged."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def done(self, coroutine: Any) -> Any:
        """What comes of it on the loop that serves; for those who are on another thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)


@contextmanager
def kept_log() -> Iterator[io.BytesIO]:
    """Everything that is logged meanwhile, in the form that a process of ours gives it."""
    kept = io.BytesIO()
    text = io.TextIOWrapper(kept, write_through=True)
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    root.handlers.clear()
    logs.configure("info")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(kept), cache_logger_on_first_use=False)
    for handler in root.handlers:
        handler.setStream(text)  # type: ignore[attr-defined] # it is the StreamHandler that was just made
    try:
        yield kept
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.configure(**configured)
        text.detach()  # it would close what is kept


@asynccontextmanager
async def house(
    database: Database, *, around: Callable[[Any], Any] = lambda app: app, **changes: Any
) -> AsyncIterator[House]:
    """A Muster with an administrator on a free port, while the context is open.

    `around` puts something before it, `changes` are of its settings; unless they name a Redis, nothing is limited.
    """
    with cheap_hashes(), kept_log() as log:
        async with (
            whole(database, reactions=REACTIONS, even_answers_milliseconds=0, sign_in_attempts=5, **changes) as site,
            listening(around(site.app)) as port,
        ):
            yield House(site, port, log)
