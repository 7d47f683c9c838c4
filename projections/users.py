"""The people whom queries show: one row for each registration that was not superseded, has not lapsed and was not erased."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar, assert_never
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import ARRAY, JSON, BigInteger, Boolean, Column, DateTime, Index, Text, Uuid, column, func

from events.event import Recorded
from events.personal import Forgotten
from events.session import SessionContinued, SessionStarted
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
from projections.read_model import ReadModel, Row

__all__ = [
    "ACTIVE",
    "LOCKED",
    "PERSON",
    "SERVICE",
    "SUSPENDED",
    "UNVERIFIED",
    "USERS",
    "KnownUser",
    "UserRow",
    "evolve",
    "known",
    "known_columns",
]

UNVERIFIED = "unverified"
PERSON = "person"
SERVICE = "service"
ACTIVE = "active"
LOCKED = "locked"
SUSPENDED = "suspended"
OWN, ADMIN = "own", "admin"


class KnownUser(Row, frozen=True, kw_only=True):
    """What the user's own stream tells of a user. `version` is that of this stream.

    `kind` is `person` or `service`; a service account has no address.

    `metadata` has two compartments, `own` and `admin`. Who was imported may have registered elsewhere, and before.
    `suspended` and `locked_until` stand behind the `status`, which is one word; a lock whose time is over stands there until
    it is lifted. `erasure_due_at` is when a user is erased who asked for it.
    """

    id: UUID
    kind: str
    email: str | None
    email_verified: bool
    display_name: str | None
    locale: str | None
    time_zone: str | None
    picture_url: str | None
    roles: tuple[str, ...]
    status: str
    metadata: dict[str, Any]
    registered_at: datetime
    updated_at: datetime
    version: int
    suspended: bool = False
    locked_until: datetime | None = None
    erasure_due_at: datetime | None = None


K = TypeVar("K", bound=KnownUser)


class UserRow(KnownUser, frozen=True, kw_only=True):
    """A user, as the answers of the API tell it; `last_seen_at` is when a session began or, on a later day, went on."""

    last_seen_at: datetime | None = None


UsersEvent: TypeAlias = UserEvent | SessionStarted | SessionContinued

# A union written into `isinstance` would be made anew for every event.
_SEEN: Final = (SessionStarted, SessionContinued)
_BEGINS: Final = (UserRegistered, ServiceAccountCreated)
_OVER: Final = (RegistrationSuperseded, RegistrationLapsed, UserErased)


def evolve(row: UserRow | None, recorded: Recorded[UsersEvent]) -> UserRow | None:
    """The user after one more fact; nobody, when superseded, lapsed or erased, or when what is personal about them was forgotten."""
    event = recorded.event
    if isinstance(event, _SEEN):
        return row and replace(row, last_seen_at=recorded.recorded_at)
    return known(UserRow, row, event, recorded)


def known(make: Callable[..., K], row: K | None, event: UserEvent, recorded: Recorded[Any], **more: Any) -> K | None:
    """A row of `make` after one more fact of the user's stream, with whatever else it holds; None when there is nobody."""
    if row is None:
        if isinstance(event, _BEGINS):
            return _registered(partial(make, **more) if more else make, event, recorded)
        if isinstance(event, UserImported):
            return _imported(partial(make, **more) if more else make, event, recorded)
        return None
    if isinstance(event, _OVER):
        return None
    changes = _changes(row, event)
    if not changes:
        return replace(row, version=recorded.version, **more)
    for value in changes.values():
        if isinstance(value, Forgotten):
            return None
    changed = replace(row, **changes, updated_at=recorded.recorded_at, version=recorded.version, **more)
    status = _status(changed)
    return changed if status == changed.status else replace(changed, status=status)


def _changes(row: KnownUser, event: UserEvent) -> dict[str, Any]:
    """The fields that change; none for what shows nowhere but in the version."""
    match event:
        case EmailVerified():
            return {"email_verified": True}
        case EmailChanged(email=email) | EmailChangeUndone(email=email):
            return {"email": email}
        case DisplayNameChanged(display_name=display_name):
            return {"display_name": display_name}
        case LocaleChanged(locale=locale):
            return {"locale": locale}
        case TimeZoneChanged(time_zone=time_zone):
            return {"time_zone": time_zone}
        case PictureChanged(picture_url=picture_url):
            return {"picture_url": picture_url}
        case OwnMetadataChanged(changes=changes):
            return {"metadata": _noted(row.metadata, OWN, changes)}
        case AdministratorsMetadataChanged(changes=changes):
            return {"metadata": _noted(row.metadata, ADMIN, changes)}
        case RoleGranted(role=role):
            return {"roles": tuple(sorted({*row.roles, role}))}
        case RoleRevoked(role=revoked):
            return {"roles": tuple(role for role in row.roles if role != revoked)}
        case UserSuspended():
            return {"suspended": True}
        case UserReinstated():
            return {"suspended": False}
        case UserLocked(until=until):
            return {"locked_until": until}
        case UserUnlocked():
            return {"locked_until": None}
        case ErasureRequested(due_at=due_at):
            return {"erasure_due_at": due_at}
        case ErasureWithdrawn():
            return {"erasure_due_at": None}
        case (
            UserRegistered()
            | UserImported()
            | ServiceAccountCreated()
            | VerificationRequested()
            | AddressRegisteredAgain()
            | RegistrationSuperseded()
            | RegistrationLapsed()
            | EmailChangeRequested()
            | FormerAddressReleased()
            | PasswordChanged()
            | PasswordResetRequested()
            | PasswordReset()
            | SignedOutEverywhere()
            | UserErased()
            | TotpEnrolled()
            | TotpConfirmed()
            | TotpRemoved()
            | RecoveryCodesIssued()
            | RecoveryCodeUsed()
            | SecondFactorRefused()
            | PasskeyAdded()
            | PasskeyRemoved()
            | PasskeyCountWentBack()
        ):
            return {}
        case unreachable:
            assert_never(unreachable)


def _noted(metadata: Mapping[str, Any], compartment: str, changes: Any) -> Any:
    if isinstance(changes, Forgotten):
        return changes
    entries = {**metadata[compartment], **dict(changes)}
    return {**metadata, compartment: {name: value for name, value in entries.items() if value is not None}}


def _status(row: KnownUser) -> str:
    if row.suspended:
        return SUSPENDED
    if not row.email_verified and row.kind == PERSON:
        return UNVERIFIED
    return ACTIVE if row.locked_until is None else LOCKED


def _registered(
    make: Callable[..., K], event: UserRegistered | ServiceAccountCreated, recorded: Recorded[Any]
) -> K | None:
    email: str | Forgotten | None = None
    display_name: str | Forgotten | None
    locale: str | Forgotten | None = None
    match event:
        case UserRegistered(email=email, display_name=display_name, locale=locale):
            kind, status = PERSON, UNVERIFIED
        case ServiceAccountCreated(name=display_name):
            kind, status = SERVICE, ACTIVE
    if isinstance(email, Forgotten) or isinstance(display_name, Forgotten) or isinstance(locale, Forgotten):
        return None
    return make(
        id=recorded.stream_id,
        kind=kind,
        email=email,
        email_verified=False,
        display_name=display_name,
        locale=locale,
        time_zone=None,
        picture_url=None,
        roles=(),
        status=status,
        metadata={OWN: {}, ADMIN: {}},
        registered_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        version=recorded.version,
    )


def _imported(make: Callable[..., K], event: UserImported, recorded: Recorded[Any]) -> K | None:
    own, admin = event.own_metadata, event.administrators_metadata
    told = (event.email, event.display_name, event.locale, event.time_zone, event.picture_url)
    if isinstance(own, Forgotten) or isinstance(admin, Forgotten) or any(isinstance(one, Forgotten) for one in told):
        return None
    return make(
        id=recorded.stream_id,
        kind=PERSON,
        email=event.email,
        email_verified=event.email_verified,
        display_name=event.display_name,
        locale=event.locale,
        time_zone=event.time_zone,
        picture_url=event.picture_url,
        roles=(),
        status=ACTIVE if event.email_verified else UNVERIFIED,
        metadata=_noted(_noted({OWN: {}, ADMIN: {}}, OWN, own), ADMIN, admin),
        registered_at=event.registered_at or recorded.recorded_at,
        updated_at=recorded.recorded_at,
        version=recorded.version,
    )


def known_columns(*identity: str) -> tuple[Column[Any], ...]:
    """New columns for the fields of a `KnownUser`, of which those of the identity are the primary key."""
    return (
        Column("id", Uuid, primary_key="id" in identity),
        Column("kind", Text(collation="C"), nullable=False),
        Column("email", Text(collation="C")),
        Column("email_verified", Boolean, nullable=False),
        Column("display_name", Text(collation="C")),
        Column("locale", Text(collation="C")),
        Column("time_zone", Text(collation="C")),
        Column("picture_url", Text(collation="C")),
        Column("roles", ARRAY(Text), nullable=False),
        Column("status", Text(collation="C"), nullable=False),
        Column("metadata", JSON, nullable=False),
        Column("registered_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        Column("version", BigInteger, primary_key="version" in identity, nullable=False),
        Column("suspended", Boolean, nullable=False),
        Column("locked_until", DateTime(timezone=True)),
        Column("erasure_due_at", DateTime(timezone=True)),
    )


USERS = ReadModel(
    "users",
    4,
    columns=(*known_columns("id"), Column("last_seen_at", DateTime(timezone=True))),
    indexes=(
        Index(None, "registered_at", "id"),
        Index(None, "last_seen_at", "id"),
        # Few rows are in these at any time, and an index on a column that all have would be touched by every change of it.
        Index(None, "id", postgresql_where=column("locked_until").is_not(None)),
        Index(None, "erasure_due_at", "id", postgresql_where=column("erasure_due_at").is_not(None)),
        Index(None, "suspended", "id", postgresql_where=column("suspended")),
        Index(None, "email_verified", "registered_at", "id", postgresql_where=~column("email_verified", Boolean)),
        Index(None, "roles", postgresql_using="gin", postgresql_where=func.cardinality(column("roles")) > 0),
    ),
    row=UserRow,
    key="id",
    events=UsersEvent,  # also those that change nothing here: the row's version is what If-Match is held against
    evolve=evolve,
)
