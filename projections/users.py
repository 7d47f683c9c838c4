"""The people whom queries show: one row for each registration that was not superseded and has not lapsed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import ARRAY, JSON, BigInteger, Boolean, Column, DateTime, Text, Uuid

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
from projections.read_model import ReadModel, Row

__all__ = ["ACTIVE", "UNVERIFIED", "USERS", "UserRow", "evolve"]

UNVERIFIED = "unverified"
ACTIVE = "active"


class UserRow(Row, frozen=True, kw_only=True):
    """A user, as the answers of the API tell it. `version` is that of the user's stream."""

    id: UUID
    email: str
    email_verified: bool
    display_name: str | None
    locale: str | None
    roles: tuple[str, ...]
    status: str
    metadata: dict[str, Any]
    registered_at: datetime
    updated_at: datetime
    version: int


def evolve(row: UserRow | None, recorded: Recorded[UserEvent]) -> UserRow | None:
    """The user after one more fact; nobody, when superseded or lapsed, or when what is personal about them was forgotten."""
    event = recorded.event
    if row is None:
        return registered(event, recorded) if isinstance(event, UserRegistered) else None
    changes: dict[str, Any] = {}
    match event:
        case RegistrationSuperseded() | RegistrationLapsed():
            return None
        case EmailVerified():
            changes = {"email_verified": True, "status": ACTIVE}
        case DisplayNameChanged(display_name=Forgotten()):
            return None
        case DisplayNameChanged(display_name=display_name):
            changes = {"display_name": display_name}
        case RoleGranted(role=role):
            changes = {"roles": tuple(sorted({*row.roles, role}))}
        case RoleRevoked(role=revoked):
            changes = {"roles": tuple(role for role in row.roles if role != revoked)}
        case UserRegistered() | VerificationRequested() | AddressRegisteredAgain():
            return replace(row, version=recorded.version)
    return replace(row, **changes, updated_at=recorded.recorded_at, version=recorded.version)


def registered(event: UserRegistered, recorded: Recorded[UserEvent]) -> UserRow | None:
    """The row of someone who has just registered."""
    email, display_name, locale = event.email, event.display_name, event.locale
    if isinstance(email, Forgotten) or isinstance(display_name, Forgotten) or isinstance(locale, Forgotten):
        return None
    return UserRow(
        id=recorded.stream_id,
        email=email,
        email_verified=False,
        display_name=display_name,
        locale=locale,
        roles=(),
        status=UNVERIFIED,
        metadata={},
        registered_at=recorded.recorded_at,
        updated_at=recorded.recorded_at,
        version=recorded.version,
    )


USERS = ReadModel(
    "users",
    1,
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("email", Text(collation="C"), nullable=False),
        Column("email_verified", Boolean, nullable=False),
        Column("display_name", Text(collation="C")),
        Column("locale", Text(collation="C")),
        Column("roles", ARRAY(Text), nullable=False),
        Column("status", Text(collation="C"), nullable=False),
        Column("metadata", JSON, nullable=False),
        Column("registered_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        Column("version", BigInteger, nullable=False),
    ),
    row=UserRow,
    key="id",
    events=UserEvent,  # also those that change nothing here: the row's version is what If-Match is held against
    evolve=evolve,
)
