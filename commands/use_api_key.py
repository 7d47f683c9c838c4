"""Using an API key: who presents one, and that it was used, which is noted once a day."""

import hmac
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands import user as users
from commands.api_key import ApiKey, fold
from commands.api_keys import KIND, Presented
from commands.reads import Reads
from commands.unit import Unit
from events.api_key import STREAM_TYPE, ApiKeyEvent, ApiKeyUsed

__all__ = ["Bearer", "UseApiKey", "bearer_of"]


class Bearer(Struct, frozen=True):
    """Whoever has a key that lives: for whom they act, and what they may do now; `noted` is whether it was today already."""

    key_id: UUID
    user_id: UUID
    permissions: frozenset[str]
    expires_at: datetime
    noted: bool


async def bearer_of(reads: Reads, presented: Presented, now: datetime) -> Bearer | None:
    """Who presents a key, as of the log's end; None for what is none, or lives no longer.

    Nothing is counted against guesses: there are 2 to the 256 of them. Raises `SealBroken` when what is kept was altered.
    """
    secret = await reads.secret(presented.key_id, KIND)
    if secret is None or not hmac.compare_digest(secret.plain, presented.hash):
        return None
    key = fold(event for event in await reads.stream(presented.key_id) if event.stream_type == STREAM_TYPE)
    if key.user_id is None or key.expires_at is None:
        return None
    user = users.fold(await reads.stream(key.user_id))
    if not key.lives_for(user, now):
        return None
    return Bearer(presented.key_id, key.user_id, key.permissions(user), key.expires_at, not _is_news(key, now))


class UseApiKey(Struct, frozen=True):
    """Act with an API key. That is noted of the first time on each day, and asked by the key itself."""

    key_id: UUID

    def decide(self, key: ApiKey, now: datetime) -> list[ApiKeyEvent]:
        """The key was used, if that is not known of the day (UTC) yet."""
        return [ApiKeyUsed()] if key.version and not key.revoked and _is_news(key, now) else []

    async def perform(self, unit: Unit) -> None:
        """Note it in the key's stream."""
        key = await unit.api_key(self.key_id)
        if events := self.decide(key, unit.now):
            assert key.user_id is not None, "a key that is there is somebody's"
            unit.record_api_key(self.key_id, key.user_id, *events)


def _is_news(key: ApiKey, now: datetime) -> bool:
    return key.used_on is None or now.date() > key.used_on
