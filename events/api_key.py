"""Every fact in the life of an API key."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from events.event import Event
from events.personal import Personal

__all__ = ["STREAM_TYPE", "ApiKeyEvent", "ApiKeyIssued", "ApiKeyRevoked", "ApiKeyUsed"]

STREAM_TYPE = "api_key"


class ApiKeyIssued(Event, frozen=True):
    """A key was shown, once, with which a program may act for the user: within these scopes, and until it expires."""

    user_id: UUID
    name: Personal[str]
    scopes: tuple[str, ...]
    expires_at: datetime


class ApiKeyUsed(Event, frozen=True):
    """The key was used for the first time on another day (UTC) than it had been used on before."""


class ApiKeyRevoked(Event, frozen=True):
    """The key opens nothing any more: its user said so, or someone with the right to."""


ApiKeyEvent: TypeAlias = ApiKeyIssued | ApiKeyUsed | ApiKeyRevoked
