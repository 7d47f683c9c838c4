"""What a command knows of an API key, folded from the key's stream."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from commands.roles import OWN_ACCOUNT, permissions
from commands.user import User
from events.api_key import ApiKeyEvent, ApiKeyIssued, ApiKeyRevoked, ApiKeyUsed
from events.event import Recorded
from events.personal import Forgotten

__all__ = ["NO_API_KEY", "ApiKey", "evolve", "fold"]


class ApiKey(Struct, frozen=True):
    """A key as decisions see it; `version` 0 is one that never was, `issued` the position in the log where it was, at the
    moment `issued_at`. `used_on` is the last day (UTC) on which it is noted that the key was used.
    """

    version: int = 0
    user_id: UUID | None = None
    name: str | Forgotten = ""
    scopes: frozenset[str] = frozenset()
    issued: int = 0
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    used_on: date | None = None
    revoked: bool = False

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at

    def ended(self, user: User) -> bool:
        """Whether it was revoked, or all keys of before were by what happened to the user."""
        return self.revoked or self.issued < user.keys_end

    def lives_for(self, user: User, now: datetime) -> bool:
        """Whether it is this user's and opens something: the user is not shut out, and it has neither ended nor expired."""
        own = self.user_id is not None and self.user_id == user.id
        return own and user.may_act and not self.ended(user) and not self.expired(now)

    def permissions(self, user: User) -> frozenset[str]:
        """What it may do now: of its scopes, what its user may. Everyone has their own account."""
        return self.scopes & (permissions(user.roles) | OWN_ACCOUNT)


NO_API_KEY: Final = ApiKey()


def evolve(key: ApiKey, recorded: Recorded[ApiKeyEvent]) -> ApiKey:
    """The key after one more fact."""
    version = recorded.version
    match recorded.event:
        case ApiKeyIssued(user_id=user_id, name=name, scopes=scopes, expires_at=expires_at):
            issued, at = recorded.position, recorded.recorded_at
            return ApiKey(version, user_id, name, frozenset(scopes), issued, at, expires_at)
        case ApiKeyUsed():
            return replace(key, version=version, used_on=recorded.recorded_at.date())
        case ApiKeyRevoked():
            return replace(key, version=version, revoked=True)
        case unreachable:
            assert_never(unreachable)


def fold(history: Iterable[Recorded[Any]]) -> ApiKey:
    """The key after all of the stream's facts."""
    return reduce(evolve, history, NO_API_KEY)
