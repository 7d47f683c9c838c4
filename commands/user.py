"""What a command knows of a user, folded from the user's stream."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict, replace

from commands import factors
from commands.as_imported import AsImported, came_with
from commands.factors import NO_FACTORS, FactorEvent, Factors
from events.event import Recorded
from events.personal import Forgotten
from events.user import (
    AddressRegisteredAgain,
    AdministratorsMetadataChanged,
    DisplayNameChanged,
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    EmailVerified,
    ErasureRequested,
    ErasureWithdrawn,
    FormerAddressReleased,
    LocaleChanged,
    OwnMetadataChanged,
    PasskeyAdded,
    PasskeyCountWentBack,
    PasskeyRemoved,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    PictureChanged,
    RecoveryCodesIssued,
    RecoveryCodeUsed,
    RegistrationLapsed,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    SecondFactorRefused,
    ServiceAccountCreated,
    SignedOutEverywhere,
    TimeZoneChanged,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
    UserErased,
    UserEvent,
    UserImported,
    UserLocked,
    UserRegistered,
    UserReinstated,
    UserSuspended,
    UserUnlocked,
    VerificationRequested,
)

__all__ = [
    "MAIL_WAITS_SECONDS",
    "MOST_MAILS_AN_HOUR",
    "NOBODY",
    "FormerAddress",
    "Mail",
    "User",
    "before",
    "evolve",
    "fold",
]

MOST_MAILS_AN_HOUR: Final = 5
MAIL_WAITS_SECONDS: Final = 0.2
"""A mail is written no sooner after what calls for it; what is over by then is not written about."""


class Mail:
    """What we write to an address about because of what strangers can do; each of them at most five times an hour."""

    VERIFICATION: Final = "verification"
    REGISTERED_AGAIN: Final = "registered again"
    EMAIL_CHANGE: Final = "email change"
    PASSWORD_RESET: Final = "password reset"  # noqa: S105 - the name of a mail, no password
    LOCK: Final = "lock"
    SECOND_FACTOR: Final = "second factor"


class FormerAddress(Struct, frozen=True):
    """An address that a change can still give back, until it is released; `version` is that of the change."""

    email: str | Forgotten
    version: int
    changed_at: datetime


class User(Struct, frozen=True):
    """A user as decisions see them; `version` 0 is someone who never was, and a `service` account has no address.

    `verification_version`, `change_version` and `reset_version` are the versions of the newest events that asked for proof
    of the address, of another address, for another password: only their links live, and none at 0. A registration that was
    superseded or has lapsed is `over`, and so is who was `erased`. What was recorded of a session before position
    `sessions_end` is over as well. `erasure_due_at` is when the user is to be erased who asked for it. `imported` is how
    somebody came who was a user elsewhere. API keys that were issued before `keys_end` are over.
    A sign-in whose first step was taken before version `first_steps_end` begins anew. Of who `keeps_password` a hash has to
    be there; of who was imported there may be one.
    """

    id: UUID | None = None
    version: int = 0
    service: bool = False
    email: str | Forgotten = ""
    email_verified: bool = False
    over: bool = False
    registered_at: datetime | None = None
    imported: AsImported | None = None
    verification_version: int = 0
    verification_asked_at: datetime | None = None
    new_email: str | Forgotten | None = None
    change_version: int = 0
    former: tuple[FormerAddress, ...] = ()
    reset_version: int = 0
    display_name: str | Forgotten | None = None
    locale: str | Forgotten | None = None
    time_zone: str | Forgotten | None = None
    picture_url: str | Forgotten | None = None
    own_metadata: Mapping[str, Any] = {}
    administrators_metadata: Mapping[str, Any] = {}
    roles: frozenset[str] = frozenset()
    suspended: bool = False
    locked_until: datetime | None = None
    lock_version: int = 0
    sessions_end: int = 0
    keys_end: int = 0
    factors: Factors = NO_FACTORS
    first_steps_end: int = 0
    mailed: Mapping[str, tuple[datetime, ...]] = {}
    erasure_due_at: datetime | None = None
    erasure_version: int = 0
    erased: bool = False
    keeps_password: bool = False

    @property
    def active(self) -> bool:
        """Whether there is an account, proved or not, suspended or not."""
        return self.version > 0 and not self.over

    @property
    def proved(self) -> bool:
        """Whether there is an account whose address is proved: nobody else can have that address."""
        return self.active and self.email_verified

    @property
    def may_sign_in(self) -> bool:
        """Whether the right password opens a session, from a device that has signed in before at least."""
        return self.proved and not self.suspended

    @property
    def may_act(self) -> bool:
        """Whether an API key of the account opens anything: whoever it is of may sign in, or is no person."""
        return self.may_sign_in or (self.active and self.service and not self.suspended)

    def locked(self, now: datetime) -> bool:
        """Whether devices that have never signed in are shut out."""
        return self.locked_until is not None and now < self.locked_until

    def may_be_mailed(self, about: str, now: datetime) -> bool:
        """Whether one more fact makes us write to the address about this."""
        return len(_within_the_hour(self.mailed.get(about, ()), now)) < MOST_MAILS_AN_HOUR

    def mailed_lately(self, now: datetime) -> dict[str, tuple[datetime, ...]]:
        """When the address was written to within the hour, about what, if the account is over now."""
        lately = {about: _within_the_hour(times, now) for about, times in self.mailed.items()}
        written = now - timedelta(seconds=MAIL_WAITS_SECONDS)
        return {about: sent for about, times in lately.items() if (sent := tuple(at for at in times if at <= written))}


def _within_the_hour(times: Iterable[datetime], now: datetime) -> tuple[datetime, ...]:
    return tuple(at for at in times if at > now - timedelta(hours=1))


NOBODY: Final = User()
_ERASED: Final[dict[str, Any]] = {
    **{name: value for name, value in asdict(NOBODY).items() if name not in ("id", "version")},
    "over": True,
    "erased": True,
}
"""What is known of who was erased: nothing but that, whether what was personal can still be read or not."""
_NO_LINKS: Final[dict[str, Any]] = {"new_email": None, "change_version": 0, "reset_version": 0}


def evolve(user: User, recorded: Recorded[UserEvent]) -> User:
    """The user after one more fact."""
    return replace(user, version=recorded.version, **_changes(user, recorded))


def _changes(user: User, recorded: Recorded[UserEvent]) -> dict[str, Any]:
    event = recorded.event
    match event:
        case UserRegistered(email=email, display_name=display_name, locale=locale):
            begun = replace(user, mailed=event.mailed or {})
            about = {"id": recorded.stream_id, "email": email, "display_name": display_name, "locale": locale}
            kept = {"registered_at": recorded.recorded_at, "keeps_password": True, "mailed": begun.mailed}
            return about | kept | _verification_mailed(begun, recorded)
        case UserImported():
            return _imported(event, recorded)
        case ServiceAccountCreated(name=name):
            return {
                "id": recorded.stream_id,
                "display_name": name,
                "registered_at": recorded.recorded_at,
                "service": True,
            }
        case VerificationRequested():
            return _verification_mailed(user, recorded)
        case EmailVerified():
            return {"email_verified": True}
        case AddressRegisteredAgain():
            return _mailed(user, recorded, Mail.REGISTERED_AGAIN)
        case RegistrationSuperseded() | RegistrationLapsed():
            return {"over": True}
        case EmailChangeRequested() | EmailChanged() | EmailChangeUndone() | FormerAddressReleased():
            return _address_changes(user, event, recorded)
        case PasswordChanged():
            ends = {"sessions_end": recorded.position, "first_steps_end": recorded.version}
            return {**_NO_LINKS, **ends, "keeps_password": True}
        case PasswordReset():
            ends = {"sessions_end": recorded.position, "keys_end": recorded.position}
            return {**_NO_LINKS, **ends, "first_steps_end": recorded.version, "keeps_password": True}
        case PasswordResetRequested():
            return {"reset_version": recorded.version} | _mailed(user, recorded, Mail.PASSWORD_RESET)
        case DisplayNameChanged(display_name=display_name):
            return {"display_name": display_name}
        case LocaleChanged(locale=locale):
            return {"locale": locale}
        case TimeZoneChanged(time_zone=time_zone):
            return {"time_zone": time_zone}
        case PictureChanged(picture_url=picture_url):
            return {"picture_url": picture_url}
        case OwnMetadataChanged(changes=changes):
            return {"own_metadata": _changed(user.own_metadata, changes)}
        case AdministratorsMetadataChanged(changes=changes):
            return {"administrators_metadata": _changed(user.administrators_metadata, changes)}
        case RoleGranted(role=role):
            return {"roles": user.roles | {role}, "imported": came_with(user.imported, recorded)}
        case RoleRevoked(role=role):
            return {"roles": user.roles - {role}}
        case SignedOutEverywhere():
            return {"sessions_end": recorded.position, "first_steps_end": recorded.version}
        case UserSuspended():
            imported = came_with(user.imported, recorded)
            ends = {"sessions_end": recorded.position, "first_steps_end": recorded.version}
            return {**_NO_LINKS, "suspended": True, **ends, "imported": imported}
        case UserReinstated():
            return {"suspended": False}
        case UserLocked(until=until):
            version = recorded.version
            lock = {"locked_until": until, "lock_version": version, "first_steps_end": version}
            return lock | _mailed(user, recorded, Mail.LOCK)
        case UserUnlocked():
            return {"locked_until": None, "lock_version": 0}
        case ErasureRequested(due_at=due_at):
            return {"erasure_due_at": due_at, "erasure_version": recorded.version}
        case ErasureWithdrawn():
            return {"erasure_due_at": None, "erasure_version": 0}
        case UserErased():
            return _ERASED
        case TotpRemoved() | PasskeyRemoved():
            return {**_factors(user, event, recorded), "first_steps_end": recorded.version}
        case TotpEnrolled() | TotpConfirmed() | PasskeyAdded() | RecoveryCodesIssued() | RecoveryCodeUsed():
            return _factors(user, event, recorded)
        case PasskeyCountWentBack():
            return {}
        case SecondFactorRefused():
            return _mailed(user, recorded, Mail.SECOND_FACTOR)
        case unreachable:
            assert_never(unreachable)


def _imported(event: UserImported, recorded: Recorded[UserEvent]) -> dict[str, Any]:
    """What was known elsewhere; no link was mailed that could prove the address."""
    return {
        "id": recorded.stream_id,
        "email": event.email,
        "email_verified": event.email_verified,
        "display_name": event.display_name,
        "locale": event.locale,
        "time_zone": event.time_zone,
        "picture_url": event.picture_url,
        "own_metadata": _changed({}, event.own_metadata),
        "administrators_metadata": _changed({}, event.administrators_metadata),
        "registered_at": event.registered_at or recorded.recorded_at,
        "imported": AsImported(event, recorded.recorded_at),
    }


def _address_changes(
    user: User,
    event: EmailChangeRequested | EmailChanged | EmailChangeUndone | FormerAddressReleased,
    recorded: Recorded[UserEvent],
) -> dict[str, Any]:
    match event:
        case EmailChangeRequested(email=email):
            asked = {"new_email": email, "change_version": recorded.version}
            return asked | _mailed(user, recorded, Mail.EMAIL_CHANGE)
        case EmailChanged(email=email):
            former = FormerAddress(user.email, recorded.version, recorded.recorded_at)
            return {**_NO_LINKS, "email": email, "former": (*_without(user.former, email), former)}
        case EmailChangeUndone(email=email):
            kept = user.former[: next((at for at, one in enumerate(user.former) if one.email == email), 0)]
            ends = {"sessions_end": recorded.position, "keys_end": recorded.position}
            ends |= {"first_steps_end": recorded.version}
            return {**_NO_LINKS, "email": email, "former": kept, **ends, "keeps_password": False}
        case FormerAddressReleased(email=email):
            return {"former": _without(user.former, email)}
        case unreachable:
            assert_never(unreachable)


def _factors(user: User, event: FactorEvent, recorded: Recorded[UserEvent]) -> dict[str, Any]:
    return {"factors": factors.evolve(user.factors, event, recorded.version, recorded.recorded_at)}


def _without(former: Iterable[FormerAddress], email: str | Forgotten) -> tuple[FormerAddress, ...]:
    return tuple(one for one in former if one.email != email)


def _changed(entries: Mapping[str, Any], changes: Iterable[tuple[str, Any]] | Forgotten) -> Mapping[str, Any]:
    if isinstance(changes, Forgotten):
        return {}
    changed = dict(changes)
    return {name: value for name, value in {**entries, **changed}.items() if value is not None}


def _mailed(user: User, recorded: Recorded[UserEvent], about: str) -> dict[str, Any]:
    if not user.may_be_mailed(about, recorded.recorded_at):
        return {}
    times = (*user.mailed.get(about, ()), recorded.recorded_at)[-MOST_MAILS_AN_HOUR:]
    return {"mailed": {**user.mailed, about: times}}


def _verification_mailed(user: User, recorded: Recorded[UserEvent]) -> dict[str, Any]:
    asked = {"verification_version": recorded.version, "verification_asked_at": recorded.recorded_at}
    return asked | _mailed(user, recorded, Mail.VERIFICATION)


def fold(history: Iterable[Recorded[Any]]) -> User:
    """The user after all of a stream's facts."""
    return reduce(evolve, history, NOBODY)


def before(history: Sequence[Recorded[Any]], place: int) -> User:
    """The user before the fact at a place; what was mailed before a registration was mailed to the same address."""
    user, event = fold(history[:place]), history[place].event
    return replace(user, mailed=event.mailed or {}) if isinstance(event, UserRegistered) else user
