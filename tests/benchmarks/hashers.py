"""Hashers that hash nothing, for what is measured without hashing. The product has no such thing."""

from commands.passwords import Hasher, Verified

__all__ = ["HandingHasher", "PlainHasher"]


class PlainHasher(Hasher):
    """Hashes nothing, and hands nothing to a thread."""

    async def hash(self, password: str) -> str:
        """The password as it is."""
        return _plain(password)

    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Whether it is the same."""
        return Verified(matches=hashed == _plain(password))


class HandingHasher(PlainHasher):
    """Hashes nothing, but hands it to a thread and waits."""

    async def hash(self, password: str) -> str:
        """The password as it is, by way of a thread."""
        return await self._run(_plain, password)


def _plain(password: str) -> str:
    return f"plain:{password}"
