"""What a command knows of a user, folded from the user's stream."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.event import Recorded
from events.personal import Forgotten
from events.user import (
    AddressRegisteredAgain,
    DisplayNameChanged,
    EmailVerified,
    RegistrationLapsed,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    UserEvent,
    UserRegistered,
    VerificationRequested,
)

__all__ = ["MOST_MAILS_AN_HOUR", "NOBODY", "User", "evolve", "fold"]

MOST_MAILS_AN_HOUR: Final = 5


class User(Struct, frozen=True):
    """A user as decisions see them; `version` 0 is someone who never was.

    `verification_version` is the version of the newest event that asked for proof of the address, `verification_asked_at`
    its time: only its link lives. A registration that was superseded or has lapsed is `over`.
    `mailed_at` are the times of the newest events that made us write to the address: at most five an hour do.
    """

    id: UUID | None = None
    version: int = 0
    email: str | Forgotten = ""
    email_verified: bool = False
    over: bool = False
    verification_asked_at: datetime | None = None
    display_name: str | Forgotten | None = None
    roles: frozenset[str] = frozenset()
    verification_version: int = 0
    mailed_at: tuple[datetime, ...] = ()

    @property
    def active(self) -> bool:
        """Whether there is an account, proved or not."""
        return self.version > 0 and not self.over

    @property
    def may_sign_in(self) -> bool:
        """Whether the right password opens a session."""
        return self.active and self.email_verified

    def may_be_mailed(self, now: datetime) -> bool:
        """Whether one more fact makes us write to the address."""
        return sum(at > now - timedelta(hours=1) for at in self.mailed_at) < MOST_MAILS_AN_HOUR


NOBODY: Final = User()


def evolve(user: User, recorded: Recorded[UserEvent]) -> User:
    """The user after one more fact."""
    changes: dict[str, Any]
    match recorded.event:
        case UserRegistered(email=email, display_name=display_name):
            changes = {"id": recorded.stream_id, "email": email, "display_name": display_name}
            changes |= _verification_mailed(user, recorded)
        case VerificationRequested():
            changes = _verification_mailed(user, recorded)
        case EmailVerified():
            changes = {"email_verified": True}
        case AddressRegisteredAgain():
            changes = {"mailed_at": _mailed(user, recorded)}
        case RegistrationSuperseded() | RegistrationLapsed():
            changes = {"over": True}
        case DisplayNameChanged(display_name=display_name):
            changes = {"display_name": display_name}
        case RoleGranted(role=role):
            changes = {"roles": user.roles | {role}}
        case RoleRevoked(role=role):
            changes = {"roles": user.roles - {role}}
        case unreachable:
            assert_never(unreachable)
    return replace(user, version=recorded.version, **changes)


def _mailed(user: User, recorded: Recorded[UserEvent]) -> tuple[datetime, ...]:
    if not user.may_be_mailed(recorded.recorded_at):
        return user.mailed_at
    return (*user.mailed_at, recorded.recorded_at)[-MOST_MAILS_AN_HOUR:]


def _verification_mailed(user: User, recorded: Recorded[UserEvent]) -> dict[str, Any]:
    return {
        "verification_version": recorded.version,
        "verification_asked_at": recorded.recorded_at,
        "mailed_at": _mailed(user, recorded),
    }


def fold(history: Iterable[Recorded[Any]]) -> User:
    """The user after all of a stream's facts."""
    return reduce(evolve, history, NOBODY)
