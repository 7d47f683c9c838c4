"""Hashes of passwords for tests that are about something else."""

from collections.abc import Iterator
from contextlib import contextmanager

from passlib.context import CryptContext

from commands import passwords

__all__ = ["cheap_hashes"]


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """The same kind of hash for a thousandth of its cost, so that what is measured in requests is not spent on hashing."""
    dear = passwords._context
    cheap: CryptContext = dear.copy(argon2__memory_cost=8, argon2__time_cost=1)
    passwords._context = cheap  # type: ignore[misc] # it is Final to all but this
    try:
        yield
    finally:
        passwords._context = dear  # type: ignore[misc]
