"""Having an API key: a program may act for the user with it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.api_keys import KIND, made_key
from commands.errors import (
    InvalidExpiry,
    InvalidScope,
    NoSuchUser,
    ScopeNotHeld,
    TooManyApiKeys,
)
from commands.labels import label
from commands.roles import OWN_ACCOUNT, SCOPES, permissions
from commands.unit import Unit
from commands.user import User
from events.api_key import ApiKeyEvent, ApiKeyIssued

__all__ = ["MOST_API_KEYS", "IssueApiKey", "NewApiKey", "known_scopes"]

MOST_API_KEYS: Final = 50
"""Of one user, that live at once."""


class NewApiKey(Struct, frozen=True):
    """The key, which is shown this once, and what is known of it from now on."""

    id: UUID
    key: str
    name: str
    scopes: tuple[str, ...]
    expires_at: datetime


class IssueApiKey(Struct, frozen=True):
    """Be shown a new key, once, with which a program may do what its scopes say, for so many days.

    It is for oneself or, `for_service`, for a service account, which nobody can sign in to.
    """

    user_id: UUID
    name: str
    scopes: tuple[str, ...]
    days: int
    for_service: bool = False

    def decide(self, user: User, living: int, now: datetime, most_days: int) -> list[ApiKeyEvent]:
        """There is a key that may do no more than its user, for no longer than is allowed."""
        if not user.may_act or (self.for_service and not user.service):
            raise NoSuchUser
        scopes = known_scopes(self.scopes)
        if missing := set(scopes) - permissions(user.roles) - OWN_ACCOUNT:
            raise ScopeNotHeld(f"These scopes are beyond what the user may do: {', '.join(sorted(missing))}.")
        if not 1 <= self.days <= most_days:
            raise InvalidExpiry(f"A key expires after {most_days} days at the latest, and not before a day is over.")
        if living >= MOST_API_KEYS:
            raise TooManyApiKeys
        return [ApiKeyIssued(self.user_id, label(self.name), scopes, now + timedelta(days=self.days))]

    async def perform(self, unit: Unit) -> NewApiKey:
        """Decide on the user and their keys, and keep the new key's hash; of those that have expired, nothing."""
        user = await unit.user(self.user_id)
        living = await _living(unit, user)
        (event,) = self.decide(user, living, unit.now, unit.rules.api_key_days)
        assert isinstance(event, ApiKeyIssued)
        assert isinstance(event.name, str)
        key_id = unit.new_id()
        key, hashed = made_key(key_id)
        unit.record_api_key(key_id, self.user_id, event)
        await unit.keep_secret(key_id, KIND, self.user_id, hashed)
        return NewApiKey(key_id, key, event.name, event.scopes, event.expires_at)


async def _living(unit: Unit, user: User) -> int:
    """How many keys of a user live; what is kept of the others is dropped."""
    if user.id is None:
        return 0
    living = 0
    for key_id, revision, _ in await unit.secrets_of(user.id, KIND):
        key = await unit.api_key(key_id)
        if key.ended(user) or key.expired(unit.now):
            unit.drop_secret_at(key_id, KIND, user.id, revision)
        else:
            living += 1
    return living


def known_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Each of the scopes once, in order. Raises `InvalidScope` for what is none, and for none at all."""
    wanted = set(scopes)
    if not wanted or wanted - SCOPES:
        raise InvalidScope
    return tuple(sorted(wanted))
