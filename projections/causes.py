"""What may be told of an error without telling of whom it was: errors of libraries quote the values that they stumbled over."""

import traceback
from typing import Final

import asyncpg

from events.codec import SealBroken
from events.event import UnknownEvent

__all__ = ["told"]

_SPEAKS_SAFELY: Final = (UnknownEvent, SealBroken, OSError)


def told(error: BaseException) -> str:
    """One line for logs and tables: the kind of error, and where it arose; its message only where that is ours."""
    kind = type(error).__name__
    if isinstance(error, _SPEAKS_SAFELY):
        return f"{kind}: {error}"
    if isinstance(error, asyncpg.PostgresError):
        return f"{kind} ({error.sqlstate})"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return kind
    place = frames[-1]
    return f"{kind} in {place.name}, line {place.lineno} of {place.filename.rpartition('/')[2]}"
