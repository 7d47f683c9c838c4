"""What one API process holds open: connections to the store, the committer, threads that hash, and what it remembers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import asyncpg

from api.auth import Gate
from api.counters import Counters
from api.even_answers import EvenAnswers
from api.importing import ROWS_AT_ONCE
from api.key_bearers import KeyBearers
from api.limits import Limits
from api.metrics import Metrics
from api.revocations import Revocations
from api.signing import Signing
from commands.access_tokens import AccessTokens
from commands.handler import Handler
from commands.passwords import Hasher
from commands.reads import Reads
from commands.rules import rules
from commands.signing_keys import SIGNING_KEYS_CHANNEL
from events.committer import Committer
from events.connections import BY_KEYS, TROUBLE, connect, open_pool
from events.data_keys import FORGOTTEN_CHANNEL, DataKeys
from events.epochs import Epoch, current_epoch
from events.keys import derived, local_keyring
from events.migrations.roles import role_url
from events.tail import CHANNEL, Wakeups
from projections.positions import Positions
from queries.users import UserReads
from settings import Settings, key_bytes, master_keys

__all__ = ["Runtime", "runtime"]

WRITER_CONNECTIONS: Final = 10
READER_CONNECTIONS: Final = 10
DEAR_QUESTIONS: Final = 2
"""How many questions over very many rows are asked at once."""

DEAR_LISTS: Final = 3
"""And how many lists for which all users have to be looked through, so that connections are left for what is quick."""


class Runtime:
    """The parts of a process that requests need; made by `runtime`, which also ends them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        secret = key_bytes(settings.secret)
        self.settings = settings
        self.metrics = metrics
        self.base_url = settings.base_url.rstrip("/")
        self.keys = DataKeys(local_keyring(master_keys(settings)))
        self.cursor_key = derived(secret, "cursors")
        self.receipts_key = derived(secret, "receipts")
        self.rules = rules(secret, settings)
        self.hasher = Hasher(settings.hash_threads, settings.hash_queue)
        self.counters = Counters(settings.redis_url)
        self.limits = Limits(settings, derived(secret, "limits"), self.rules.claims_key, self.counters)
        self.even_answers = EvenAnswers(settings.even_answers_milliseconds)
        self.few_at_once = asyncio.Semaphore(DEAR_QUESTIONS)
        self.few_lists_at_once = asyncio.Semaphore(DEAR_LISTS)
        self.imports = asyncio.Semaphore(ROWS_AT_ONCE)
        self.tokens = AccessTokens((), self.base_url, settings.audience or self.base_url, settings.access_token_seconds)
        self._writer_url = role_url(settings.database_url, "writer", secret)
        self._reader_url = role_url(settings.database_url, "reader", secret)
        self.streams = 0
        self.wakeups: Wakeups
        self.epoch: Epoch
        self.writer: asyncpg.Pool
        self.reader: asyncpg.Pool
        self.users: UserReads
        self.committer: Committer
        self.handler: Handler
        self.revocations: Revocations
        self.signing: Signing
        self.gate: Gate
        self.positions: Positions

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect, load what must be known, and begin; what is opened is closed with the stack, in the opposite order."""
        stack.callback(self.hasher.close)
        self.even_answers.start()
        stack.callback(self.even_answers.stop)
        await self.counters.start()
        stack.push_async_callback(self.counters.stop)
        self.writer = await self._pool(stack, self._writer_url, "muster writer", WRITER_CONNECTIONS, **BY_KEYS)
        self.reader = await self._pool(stack, self._reader_url, "muster reader", READER_CONNECTIONS)
        self.epoch = await current_epoch(self.writer)
        self.wakeups = await self._listening(stack, "muster listener", CHANNEL)
        forgotten = await self._listening(stack, "muster forgotten keys", FORGOTTEN_CHANNEL)
        forgotten.on_announcement(self.keys.heard)
        self.users = UserReads(self.reader)
        self.positions = Positions(lambda: connect(self._reader_url, "muster positions"), self.reader)
        await self.positions.start()
        stack.push_async_callback(self.positions.stop)
        self.revocations = Revocations(self.writer, self.wakeups)
        await self.revocations.start()
        stack.push_async_callback(self.revocations.stop)
        announced = await self._listening(stack, "muster signing keys", SIGNING_KEYS_CHANNEL)
        self.signing = Signing(self.writer, self.keys.master, self.tokens, announced)
        self.committer = Committer(
            lambda: connect(self._writer_url, "muster committer", **BY_KEYS), self.settings.append_queue
        )
        self.committer.observe = self.metrics.commit
        await self.committer.start()
        stack.push_async_callback(self.committer.stop)
        self.handler = Handler(self.writer, self.committer, self.keys, self.rules, self.hasher)
        key_bearers = KeyBearers(Reads(self.writer, self.keys), self.revocations, self.handler)
        not_before = int(self.epoch.began_at.timestamp()) if self.epoch.number > 1 else 0
        self.gate = Gate(self.tokens, self.revocations, self.signing.learn, key_bearers, not_before)
        self.signing.lost = self.gate.forget
        await self.signing.start()
        stack.push_async_callback(self.signing.stop)
        self._measure()

    async def _pool(self, stack: AsyncExitStack, url: str, name: str, size: int, **settings: str) -> Any:
        pool = await open_pool(url, name, size, **settings)
        stack.push_async_callback(_closed, pool)
        return pool

    async def _listening(self, stack: AsyncExitStack, name: str, channel: str) -> Wakeups:
        wakeups = Wakeups(lambda: connect(self._writer_url, name), channel)
        await wakeups.start()
        stack.push_async_callback(wakeups.stop)
        return wakeups

    def _measure(self) -> None:
        gauge = self.metrics.gauge
        gauge("muster_append_queue", "Commands that wait for the next commit.", lambda: self.committer.waiting)
        gauge("muster_hash_queue", "Passwords that are or wait to be hashed.", lambda: self.hasher.waiting)
        gauge("muster_followed_position", "The log's position up to which revocations are known.", self._followed)
        gauge("muster_event_streams", "Who follows the log.", lambda: self.streams)
        gauge("muster_view_waiters", "Queries that wait for a position.", lambda: self.positions.waiting)
        gauge("muster_checkpoint_looks", "How often checkpoints were read for them.", lambda: self.positions.looks)
        gauge("muster_limits_unavailable", "Whether limits are not in force.", lambda: not self.counters.in_force)
        gauge(
            "muster_revocations_behind_seconds", "How old that knowledge is.", lambda: self.revocations.behind_seconds
        )

    def _followed(self) -> float:
        return self.revocations.position

    async def complaints(self) -> list[str]:
        """What keeps this process from serving; nothing when it is ready."""
        wrong = []
        if not self.revocations.trustworthy:
            wrong.append(f"Revocations are {self.revocations.behind_seconds:.0f} seconds behind the log.")
        if not self.tokens.can_sign:
            wrong.append("There is no key that signs access tokens: run `muster migrate`.")
        try:
            async with asyncio.timeout(2):
                await self.reader.fetchval("SELECT 1")
        except TROUBLE:
            wrong.append("The database does not answer.")
        return wrong


async def _closed(pool: Any) -> None:
    """Close it when its questions are answered, but do not wait long for them."""
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()


@asynccontextmanager
async def runtime(settings: Settings, metrics: Metrics) -> AsyncIterator[Runtime]:
    """Everything that a process needs, while the context is open. Raises what keeps it from opening."""
    made = Runtime(settings, metrics)
    async with AsyncExitStack() as stack:
        await made.open(stack)
        yield made
