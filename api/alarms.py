"""What is kept to know people by, and does not open: whoever tries it is refused, and whoever operates is told."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from commands.errors import Refused

__all__ = ["alarmed"]

_log = structlog.get_logger()


@contextmanager
def alarmed(what: str, refusal: type[Refused]) -> Iterator[None]:
    """Refuse where a secret is no hash, or was altered: `what` is broken then, which is an error in the log."""
    try:
        yield
    except ValueError as error:
        _log.error(f"{what} is broken", exc_info=error)
        raise refusal from None
