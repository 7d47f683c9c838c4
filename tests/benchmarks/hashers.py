"""Hashers that hash nothing, for registrations that are measured without it. The product has no such thing."""

from commands.passwords import Hasher

__all__ = ["HandingHasher", "PlainHasher"]


class PlainHasher(Hasher):
    """Hashes nothing, and hands nothing to a thread."""

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
