"""Every fact in the life of an invitation: somebody may become a user by a link that is mailed to an address.

It is about nobody who is a user yet. What is personal in it is sealed under a key of its own, which is destroyed when it ends.
"""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from events.event import Event
from events.personal import Personal

__all__ = [
    "STREAM_TYPE",
    "InvitationAccepted",
    "InvitationEvent",
    "InvitationLapsed",
    "InvitationWithdrawn",
    "UserInvited",
]

STREAM_TYPE = "invitation"


class UserInvited(Event, frozen=True):
    """An administrator (`by`), or the operator, had a link mailed to an address, with which its owner becomes a user."""

    email: Personal[str]
    roles: tuple[str, ...]
    expires_at: datetime
    by: UUID | None = None
    display_name: Personal[str | None] = None
    locale: Personal[str | None] = None


class InvitationAccepted(Event, frozen=True):
    """Whoever was invited followed the link, chose a password, and is this user now."""

    user_id: UUID


class InvitationWithdrawn(Event, frozen=True):
    """An administrator took the invitation back; its link opens nothing."""


class InvitationLapsed(Event, frozen=True):
    """Nobody accepted the invitation in time."""


InvitationEvent: TypeAlias = UserInvited | InvitationAccepted | InvitationWithdrawn | InvitationLapsed
