"""Users as rows that an import takes."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from queries.user_exports import ExportedUser

__all__ = ["UserExport", "line_of"]

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class UserExport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an import needs to make the same user. What is not so, or not there, is left out."""

    id: UUID
    email: str
    email_verified: bool = False
    external_id: str | None = None
    display_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    picture_url: str | None = None
    metadata: dict[str, Any] = {}
    roles: tuple[str, ...] = ()
    suspended: bool = False
    registered_at: datetime
    password_hash: str | None = None


def line_of(exported: ExportedUser, password_hash: str | None = None) -> bytes:
    """A user as a line, the same for the same user to the byte."""
    user = exported.user
    assert user.email is not None, "people have addresses"
    row = UserExport(
        id=user.id,
        email=user.email,
        email_verified=user.email_verified,
        external_id=exported.external_id,
        display_name=user.display_name,
        locale=user.locale,
        time_zone=user.time_zone,
        picture_url=user.picture_url,
        metadata={name: entries for name, entries in user.metadata.items() if entries},
        roles=tuple(user.roles),
        suspended=user.suspended,
        registered_at=user.registered_at,
        password_hash=password_hash,
    )
    return _encode(row) + b"\n"
