"""Every fact in a user's life."""

from typing import TypeAlias
from uuid import UUID

from events.event import Event
from events.personal import Personal

__all__ = [
    "STREAM_TYPE",
    "AddressRegisteredAgain",
    "DisplayNameChanged",
    "EmailVerified",
    "RegistrationLapsed",
    "RegistrationSuperseded",
    "RoleGranted",
    "RoleRevoked",
    "UserEvent",
    "UserRegistered",
    "VerificationRequested",
]

STREAM_TYPE = "user"


class UserRegistered(Event, frozen=True):
    """Someone registered with an address that is not proved to be theirs yet, and chose a password."""

    email: Personal[str]
    display_name: Personal[str | None] = None
    locale: Personal[str | None] = None


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


class DisplayNameChanged(Event, frozen=True):
    """The user is called something else from now on, or by no name at all."""

    display_name: Personal[str | None]


class RoleGranted(Event, frozen=True):
    """The user got a role, and with it the permissions that it maps to."""

    role: str


class RoleRevoked(Event, frozen=True):
    """The user lost a role."""

    role: str


UserEvent: TypeAlias = (
    UserRegistered
    | VerificationRequested
    | EmailVerified
    | AddressRegisteredAgain
    | RegistrationSuperseded
    | RegistrationLapsed
    | DisplayNameChanged
    | RoleGranted
    | RoleRevoked
)
