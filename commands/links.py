"""Single-use links: signed tokens made from the facts of the event that they answer, so that nothing is stored for them.

A token names a purpose, a stream, the version of the event in it and when it expires. It is spent when the stream has
moved past what it answers, which the rule of its command decides.
"""

import struct
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.errors import InvalidLink, LinkExpired
from commands.signed_facts import signed, unsigned

__all__ = [
    "ACCEPT_INVITATION",
    "FIRST_ADMINISTRATOR",
    "RESET_PASSWORD",
    "UNDO_EMAIL_CHANGE",
    "UNLOCK",
    "VERIFY_EMAIL",
    "WITHDRAW_ERASURE",
    "Link",
    "link_token",
    "read_link",
]

VERIFY_EMAIL: Final = "verify-email"
"""Proves the address that is named in the event it answers: that of a registration, or the new one of a change."""

UNDO_EMAIL_CHANGE: Final = "undo-email-change"
RESET_PASSWORD: Final = "reset-password"  # noqa: S105 - a purpose, no password
UNLOCK: Final = "unlock"
WITHDRAW_ERASURE: Final = "withdraw-erasure"
ACCEPT_INVITATION: Final = "accept-invitation"
FIRST_ADMINISTRATOR: Final = "first-administrator"

_FACTS: Final = struct.Struct(">16sQQ")


class Link(Struct, frozen=True):
    """What a link's token proves: that its bearer was told of the event at this version of this stream."""

    stream_id: UUID
    version: int


def link_token(key: bytes, purpose: str, stream_id: UUID, version: int, expires_at: datetime) -> str:
    """The token of the link that answers an event; the same facts give the same token. Precise to a second."""
    facts = _FACTS.pack(stream_id.bytes, version, int(expires_at.timestamp()))
    return signed(key, purpose, facts)


def read_link(key: bytes, purpose: str, token: str, now: datetime) -> Link:
    """What a token proves. Raises `InvalidLink` for another purpose or a forgery, `LinkExpired` when it is too old."""
    facts = unsigned(key, purpose, token, _FACTS.size)
    if facts is None:
        raise InvalidLink
    stream, version, expires = _FACTS.unpack(facts)
    if now >= datetime.fromtimestamp(expires, UTC):
        raise LinkExpired
    return Link(UUID(bytes=stream), version)
