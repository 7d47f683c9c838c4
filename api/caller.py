"""Who asks."""

from uuid import UUID

from msgspec import Struct

__all__ = ["Caller"]


class Caller(Struct, frozen=True):
    """Someone who has signed in, or a program with an API key; `position` is that of the log as of which `permissions` are true.

    `authenticated_at`, in seconds of the epoch, is when they last proved who they are; 0 for what is not known. `session_id` is
    the stream that lets them in, and is that of the key where there is one (`key_id`).
    """

    user_id: UUID
    session_id: UUID
    permissions: frozenset[str]
    position: int
    expires: int
    authenticated_at: int = 0
    two_factors: bool = False
    factor_expected: bool = False
    key_id: UUID | None = None

    def may(self, permission: str) -> bool:
        """Whether one of the caller's roles gives this permission, and a key's scopes have it."""
        return permission in self.permissions

    def may_oneself(self, scope: str) -> bool:
        """Whether the caller has this access to their own account, as whoever has signed in has and a key may have."""
        return self.key_id is None or scope in self.permissions
