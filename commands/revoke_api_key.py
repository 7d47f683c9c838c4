"""Revoking an API key."""

from uuid import UUID

from msgspec import Struct

from commands.api_key import ApiKey
from commands.api_keys import KIND
from commands.errors import NoSuchApiKey
from commands.unit import Unit
from events.api_key import ApiKeyEvent, ApiKeyRevoked

__all__ = ["RevokeApiKey"]


class RevokeApiKey(Struct, frozen=True):
    """Let an API key of a user open nothing any more."""

    user_id: UUID
    key_id: UUID

    def decide(self, key: ApiKey) -> list[ApiKeyEvent]:
        """The key is over, unless it was revoked already."""
        if key.version == 0 or key.user_id != self.user_id:
            raise NoSuchApiKey
        return [] if key.revoked else [ApiKeyRevoked()]

    async def perform(self, unit: Unit) -> None:
        """Revoke it, and keep nothing of it beside the log."""
        events = self.decide(await unit.api_key(self.key_id))
        if not events:
            return
        unit.record_api_key(self.key_id, self.user_id, *events)
        if secret := await unit.secret(self.key_id, KIND):
            unit.drop_secret(secret)
