"""Every fact in the life of a session."""

from typing import TypeAlias
from uuid import UUID

from events.event import Event

__all__ = [
    "STREAM_TYPE",
    "RefreshTokenReused",
    "SessionContinued",
    "SessionEnded",
    "SessionEvent",
    "SessionExpired",
    "SessionStarted",
    "SteppedUp",
]

STREAM_TYPE = "session"


class SessionStarted(Event, frozen=True):
    """The user signed in; `method` says with what ("password", "password+totp", "passkey")."""

    user_id: UUID
    method: str


class SessionContinued(Event, frozen=True):
    """The session was refreshed for the first time on another day (UTC) than it had been seen on before."""


class SteppedUp(Event, frozen=True):
    """The holder of the session proved once more who they are; `method` says with what ("password", "totp")."""

    method: str


class SessionEnded(Event, frozen=True):
    """The session is over: its holder signed out, or someone with the right to did it for them."""


class SessionExpired(Event, frozen=True):
    """The session was not refreshed for so long that it cannot be any more."""


class RefreshTokenReused(Event, frozen=True):
    """A refresh token that had been spent was presented again: someone has a copy, and the session is over for everyone."""


SessionEvent: TypeAlias = (
    SessionStarted | SessionContinued | SteppedUp | SessionEnded | SessionExpired | RefreshTokenReused
)
