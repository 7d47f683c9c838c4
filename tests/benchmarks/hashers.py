"""Hashers that hash nothing, for what is measured without it. The product has no such thing."""

from collections.abc import Iterator
from contextlib import contextmanager

from commands.passwords import Hasher, Place, Verified

__all__ = ["HandingHasher", "PlainHasher"]


class _PlainPlace(Place):
    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Everyone who has a password has the right one."""
        return Verified(matches=hashed is not None)


class PlainHasher(Hasher):
    """Hashes nothing, and hands nothing to a thread."""

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place where whatever is kept matches."""
        with super().place():
            yield _PlainPlace(self._pool, self._decoy_hash)

    async def hash(self, password: str) -> str:
        """The password as it is."""
        return _plain(password)


class HandingHasher(PlainHasher):
    """Hashes nothing, but hands it to a thread and waits."""

    async def hash(self, password: str) -> str:
        """The password as it is, by way of a thread."""
        with self.place() as place:
            return await place.run(_plain, password)


def _plain(password: str) -> str:
    return f"plain:{password}"
