"""What a command knows of an invitation, folded from its stream."""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.event import Recorded
from events.invitation import (
    InvitationAccepted,
    InvitationEvent,
    InvitationLapsed,
    InvitationWithdrawn,
    UserInvited,
)
from events.personal import Forgotten

__all__ = ["NO_INVITATION", "SCOPE", "Invitation", "evolve", "fold"]

SCOPE: Final = "invitation"
"""Of the claims that say which invitations are open: the key of each is its id, and its owner is itself."""


class Invitation(Struct, frozen=True):
    """An invitation as decisions see it; `version` 0 is one that never was. It is `open` until something ends it."""

    version: int = 0
    open: bool = False
    email: str | Forgotten = ""
    roles: tuple[str, ...] = ()
    display_name: str | Forgotten | None = None
    locale: str | Forgotten | None = None
    by: UUID | None = None
    sent_at: datetime | None = None
    expires_at: datetime | None = None
    user_id: UUID | None = None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


NO_INVITATION: Final = Invitation()


def evolve(invitation: Invitation, recorded: Recorded[InvitationEvent]) -> Invitation:
    """The invitation after one more fact."""
    version = recorded.version
    match recorded.event:
        case UserInvited(
            email=email, roles=roles, expires_at=expires_at, by=by, display_name=display_name, locale=locale
        ):
            sent_at = recorded.recorded_at
            return Invitation(version, True, email, roles, display_name, locale, by, sent_at, expires_at)
        case InvitationAccepted(user_id=user_id):
            return replace(invitation, version=version, open=False, user_id=user_id)
        case InvitationWithdrawn() | InvitationLapsed():
            return replace(invitation, version=version, open=False)
        case unreachable:
            assert_never(unreachable)


def fold(history: Iterable[Recorded[Any]]) -> Invitation:
    """The invitation after all of the stream's facts."""
    return reduce(evolve, history, NO_INVITATION)
