"""Every fact in a user's life."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from msgspec import UNSET, UnsetType

from events.event import Event
from events.personal import Personal

__all__ = [
    "STREAM_TYPE",
    "AddressRegisteredAgain",
    "AdministratorsMetadataChanged",
    "DisplayNameChanged",
    "EmailChangeRequested",
    "EmailChangeUndone",
    "EmailChanged",
    "EmailVerified",
    "ErasureRequested",
    "ErasureWithdrawn",
    "FormerAddressReleased",
    "LocaleChanged",
    "OwnMetadataChanged",
    "PasskeyAdded",
    "PasskeyCountWentBack",
    "PasskeyRemoved",
    "PasswordChanged",
    "PasswordReset",
    "PasswordResetRequested",
    "PictureChanged",
    "RecoveryCodeUsed",
    "RecoveryCodesIssued",
    "RegistrationLapsed",
    "RegistrationSuperseded",
    "RoleGranted",
    "RoleRevoked",
    "SecondFactorRefused",
    "ServiceAccountCreated",
    "SignedOutEverywhere",
    "TimeZoneChanged",
    "TotpConfirmed",
    "TotpEnrolled",
    "TotpRemoved",
    "UserErased",
    "UserEvent",
    "UserImported",
    "UserLocked",
    "UserRegistered",
    "UserReinstated",
    "UserSuspended",
    "UserUnlocked",
    "VerificationRequested",
]

STREAM_TYPE = "user"


class UserRegistered(Event, frozen=True):
    """Someone registered with an address that is not proved to be theirs yet, and chose a password.

    `mailed` is when the address was written to within the hour before, and about what, for registrations that this one
    supersedes, if it was: what strangers can have mailed is counted for the address, and not for each registration.
    """

    email: Personal[str]
    display_name: Personal[str | None] = None
    locale: Personal[str | None] = None
    mailed: Mapping[str, tuple[datetime, ...]] | UnsetType = UNSET


class UserImported(Event, frozen=True):
    """Someone who was a user elsewhere was brought in, with what was known of them there. Nothing is mailed.

    Whether the address is proved, and when they registered, is what is known of that there. Roles that they came with, and
    a suspension, are events of their own of the same moment.
    """

    email: Personal[str]
    email_verified: bool
    display_name: Personal[str | None] = None
    locale: Personal[str | None] = None
    time_zone: Personal[str | None] = None
    picture_url: Personal[str | None] = None
    own_metadata: Personal[tuple[tuple[str, Any], ...]] = ()
    administrators_metadata: Personal[tuple[tuple[str, Any], ...]] = ()
    external_id: Personal[str | None] = None
    registered_at: datetime | None = None


class ServiceAccountCreated(Event, frozen=True):
    """An administrator made an account for a program: without address and password, it is entered by API keys alone."""

    name: Personal[str]


class VerificationRequested(Event, frozen=True):
    """The user, or someone with the right password, asked for the link that proves the address once more."""


class EmailVerified(Event, frozen=True):
    """The user proved that the address of the account is theirs, by a link that was mailed to it or shown to the operator."""


class AddressRegisteredAgain(Event, frozen=True):
    """Someone tried to register with this user's proved address; the user is told by mail, the other learns nothing."""


class RegistrationSuperseded(Event, frozen=True):
    """A later registration took over the address, which this one had never proved; its links and password are dead."""

    by: UUID


class RegistrationLapsed(Event, frozen=True):
    """Nobody proved the address of a registration in time: the address is free again, links and password are dead."""


class EmailChangeRequested(Event, frozen=True):
    """The user asked to have another address from now on; it is mailed a link that proves it, and nothing has changed yet."""

    email: Personal[str]


class EmailChanged(Event, frozen=True):
    """The user proved the new address and has it now. The one before is told, and can undo it for a time."""

    email: Personal[str]


class EmailChangeUndone(Event, frozen=True):
    """The owner of a former address took the account back: it has that address again, no password and no session."""

    email: Personal[str]


class FormerAddressReleased(Event, frozen=True):
    """The time in which a change of address could be undone is over, and others may register the former one."""

    email: Personal[str]


class PasswordChanged(Event, frozen=True):
    """The user, who knew the present password, chose another one. Every session ended."""


class PasswordResetRequested(Event, frozen=True):
    """Someone asked for a link with which a new password can be chosen; it was mailed to the user's address."""


class PasswordReset(Event, frozen=True):
    """The user chose a new password by a link that was mailed to the address. Every session ended."""


class DisplayNameChanged(Event, frozen=True):
    """The user is called something else from now on, or by no name at all."""

    display_name: Personal[str | None]


class LocaleChanged(Event, frozen=True):
    """The user reads another language, or leaves open which."""

    locale: Personal[str | None]


class TimeZoneChanged(Event, frozen=True):
    """The user lives by another clock, or leaves open by which."""

    time_zone: Personal[str | None]


class PictureChanged(Event, frozen=True):
    """The user shows another picture, or none."""

    picture_url: Personal[str | None]


class OwnMetadataChanged(Event, frozen=True):
    """Entries of the user's own metadata changed: each name with its new value, null for one that is gone."""

    changes: Personal[tuple[tuple[str, Any], ...]]


class AdministratorsMetadataChanged(Event, frozen=True):
    """Entries of what administrators note about the user changed: each name with its new value, null for one that is gone."""

    changes: Personal[tuple[tuple[str, Any], ...]]


class RoleGranted(Event, frozen=True):
    """The user got a role, and with it the permissions that it maps to."""

    role: str


class RoleRevoked(Event, frozen=True):
    """The user lost a role."""

    role: str


class SignedOutEverywhere(Event, frozen=True):
    """All sessions of the user ended, by the user's own wish or an administrator's."""


class UserSuspended(Event, frozen=True):
    """An administrator shut the user out until they are reinstated. Every session ended."""


class UserReinstated(Event, frozen=True):
    """An administrator let the user in again."""


class UserLocked(Event, frozen=True):
    """Too many sign-ins failed from devices that had never signed in; until then, only devices that had are let in."""

    until: datetime


class UserUnlocked(Event, frozen=True):
    """Any device may sign in again: the time was over, an administrator said so, or the user did by a mailed link."""


class ErasureRequested(Event, frozen=True):
    """The user asked to be forgotten. It is done at this moment, unless they think better of it; until then nothing has changed."""

    due_at: datetime


class ErasureWithdrawn(Event, frozen=True):
    """The user, or an administrator for them, withdrew what had been asked: the account stays."""


class UserErased(Event, frozen=True):
    """The user was forgotten: the key of everything personal was destroyed, the address is free, every session ended."""


class TotpEnrolled(Event, frozen=True):
    """The user was shown a secret for an authenticator app, which counts for nothing before a first code of it is given."""


class TotpConfirmed(Event, frozen=True):
    """The user gave a first code: from now on the codes of the app are a second factor, asked for beside the password."""


class TotpRemoved(Event, frozen=True):
    """The secret that was shared with the user's authenticator app was destroyed; its codes count no longer."""


class RecoveryCodesIssued(Event, frozen=True):
    """The user was shown so many recovery codes, each good once in place of a second factor; those of before are dead."""

    count: int


class RecoveryCodeUsed(Event, frozen=True):
    """The user gave a recovery code in place of a second factor, and it is spent. So many are left."""

    left: int


class SecondFactorRefused(Event, frozen=True):
    """Someone who has the password, or a session, failed at the second factor too often, and waits; the user is told by mail."""


class PasskeyAdded(Event, frozen=True):
    """The user has a passkey more, under a name of their own: a second factor, which signs in without a password as well."""

    passkey_id: UUID
    label: Personal[str]


class PasskeyRemoved(Event, frozen=True):
    """A passkey of the user opens nothing any more."""

    passkey_id: UUID


class PasskeyCountWentBack(Event, frozen=True):
    """A passkey signed that says it has signed less often than it had before, as a copy would; it was refused."""

    passkey_id: UUID


UserEvent: TypeAlias = (
    UserRegistered
    | UserImported
    | ServiceAccountCreated
    | VerificationRequested
    | EmailVerified
    | AddressRegisteredAgain
    | RegistrationSuperseded
    | RegistrationLapsed
    | EmailChangeRequested
    | EmailChanged
    | EmailChangeUndone
    | FormerAddressReleased
    | PasswordChanged
    | PasswordResetRequested
    | PasswordReset
    | DisplayNameChanged
    | LocaleChanged
    | TimeZoneChanged
    | PictureChanged
    | OwnMetadataChanged
    | AdministratorsMetadataChanged
    | RoleGranted
    | RoleRevoked
    | SignedOutEverywhere
    | UserSuspended
    | UserReinstated
    | UserLocked
    | UserUnlocked
    | ErasureRequested
    | ErasureWithdrawn
    | UserErased
    | TotpEnrolled
    | TotpConfirmed
    | TotpRemoved
    | RecoveryCodesIssued
    | RecoveryCodeUsed
    | SecondFactorRefused
    | PasskeyAdded
    | PasskeyRemoved
    | PasskeyCountWentBack
)
