"""Passwords: what is accepted, and hashing off the event loop on few, niced threads.

argon2id with 19 MiB, two passes and one lane (OWASP's and RFC 9106's second recommendation for little memory). Hashes
of other parameters and schemes are verified too, and replaced by today's when their owner signs in.
"""

import asyncio
import os
import re
import threading
import time
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from msgspec import Struct
from passlib.context import CryptContext

from commands.common_passwords import easy_to_guess
from commands.errors import WeakPassword

__all__ = [
    "HASHING_TOOK",
    "LEAST_CHARACTERS",
    "MOST_CHARACTERS",
    "Hasher",
    "HasherBusy",
    "Place",
    "Verified",
    "acceptable",
    "normalised",
]

LEAST_CHARACTERS: Final = 12
MOST_CHARACTERS: Final = 1024
MOST_OF_AN_ADDRESS: Final = 254  # what came as one may be longer, and is refused for that elsewhere
NICENESS: Final = 19
PRODUCT: Final = "muster"
COMMON: Final = (
    "The password is little more than what many people choose (common passwords, repetitions, runs such as 1234);"
    " add words that nobody expects."
)
EXPECTED: Final = (
    "The password is little more than the address or the name of this product; add words that nobody expects."
)

BCRYPT: Final = ("$2a$", "$2b$", "$2y$")
BCRYPT_BYTES: Final = 72

_context: Final = CryptContext(
    schemes=[
        "argon2",
        "bcrypt",
        "scrypt",
        "pbkdf2_sha256",
        "pbkdf2_sha512",
        "django_pbkdf2_sha256",
        "django_bcrypt_sha256",
    ],
    deprecated="auto",
    argon2__type="ID",
    argon2__memory_cost=19_456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)
HASHING_TOOK: Final[ContextVar[float]] = ContextVar("hashing_took", default=0.0)
"""For how many seconds the task that asks has waited for hashes; whoever begins something else in it begins at 0."""
T = TypeVar("T")


class HasherBusy(Exception):
    """More passwords wait to be hashed than this process keeps; try again shortly."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def normalised(password: str) -> str:
    """The password in NFC, as RFC 8265 (OpaqueString) has it, so that every keyboard's spelling of it is the same."""
    return unicodedata.normalize("NFC", password)


def acceptable(password: str, *, email: str) -> str:
    """The password as it is hashed.

    Raises `WeakPassword`, saying what is wrong and what to do, when it is too short, too long or too obvious.
    """
    password = normalised(password)
    if len(password) < LEAST_CHARACTERS:
        raise WeakPassword(f"A password has at least {LEAST_CHARACTERS} characters; choose a longer one.")
    if len(password) > MOST_CHARACTERS:
        raise WeakPassword(f"A password has at most {MOST_CHARACTERS} characters; choose a shorter one.")
    email = email[:MOST_OF_AN_ADDRESS]
    if easy_to_guess(password, knowing=(email, *email.split("@"), *re.split(r"[\W_]+", email), PRODUCT)):
        raise WeakPassword(COMMON if easy_to_guess(password) else EXPECTED)
    return password


class Verified(Struct, frozen=True):
    """Whether a password is the hashed one, and a hash to keep instead when the kept one is not of today's kind."""

    matches: bool
    rehashed: str | None = None


class Hasher:
    """Hashes and verifies on threads of its own: no more than cores, niced, and with a bounded queue."""

    def __init__(self, threads: int = 0, queue_size: int = 64) -> None:
        self.threads = threads or os.cpu_count() or 1
        self._queue_size = queue_size
        self._pending = 0
        self._pool = ThreadPoolExecutor(self.threads, "hasher", initializer=_be_nice)
        self._decoy: str | None = None

    @property
    def waiting(self) -> int:
        """How many hashes are under way or wait."""
        return self._pending

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """A place among those who wait, before an attempt is spent on what there may be no room for. Raises `HasherBusy`."""
        if self._pending >= self._queue_size + self.threads:
            raise HasherBusy
        self._pending += 1
        try:
            yield Place(self._pool, self._decoy_hash)
        finally:
            self._pending -= 1

    async def hash(self, password: str) -> str:
        """The hash to keep, in PHC string format. Raises `HasherBusy`."""
        with self.place() as place:
            return await place.run(_hash, normalised(password))

    async def verify(self, password: str, hashed: str | None) -> Verified:
        """As `Place.verify`, with a place of its own. Raises `HasherBusy`."""
        with self.place() as place:
            return await place.verify(password, hashed)

    def close(self) -> None:
        """End the threads; what is under way is finished."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _decoy_hash(self, place: "Place") -> str:
        if self._decoy is None:
            self._decoy = await place.run(_hash, os.urandom(16).hex())
        return self._decoy


class Place:
    """A place in the queue of a `Hasher`: whoever has it is served."""

    def __init__(self, pool: ThreadPoolExecutor, decoy_hash: Callable[["Place"], Awaitable[str]]) -> None:
        self._pool = pool
        self._decoy_hash = decoy_hash

    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Whether the password is the hashed one; takes as long where there is none.

        As long as a hash of today's parameters, that is: one of others takes its own time until it is replaced.
        A hash that is malformed or of an unknown kind verifies nothing, and raises `ValueError` for the alarm that it
        is worth, after as long a time.
        """
        if hashed is None or len(password) > MOST_CHARACTERS:
            return await self._verify_decoy(password)
        try:
            return await self.run(_verify, normalised(password), hashed)
        except ValueError:
            await self._verify_decoy(password)
            msg = "A stored password hash is malformed or of no known kind."
            raise ValueError(msg) from None  # the cause quotes the hash

    async def _verify_decoy(self, password: str) -> Verified:
        await self.run(_verify, normalised(password[:MOST_CHARACTERS]), await self._decoy_hash(self))
        return Verified(matches=False)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What the function returns, on one of the threads."""
        began = time.perf_counter()
        done = await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        HASHING_TOOK.set(HASHING_TOOK.get() + time.perf_counter() - began)
        return done


def _hash(password: str) -> str:
    hashed: str = _context.hash(password)
    return hashed


def _verify(password: str, hashed: str) -> Verified:
    if hashed.startswith(BCRYPT):
        return _verify_bcrypt(password, hashed)
    matches, rehashed = _context.verify_and_update(password, hashed)
    return Verified(matches, rehashed)


def _verify_bcrypt(password: str, hashed: str) -> Verified:
    """By the first 72 bytes, which are all that bcrypt ever saw of a password; what replaces the hash sees all of it.

    A NUL ends a password for some implementations of bcrypt and is refused by others: here nobody has one.
    """
    seen = password.encode()[:BCRYPT_BYTES]
    matches = _context.verify(seen.replace(b"\0", b""), hashed) and b"\0" not in seen
    return Verified(matches, _hash(password) if matches else None)


def _be_nice() -> None:
    """Let reads and commits go first. Linux alone nices a thread; elsewhere the threads stay as they are."""
    if os.uname().sysname == "Linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
