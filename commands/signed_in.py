"""How a session begins, whatever let its holder in."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.addresses import any_key
from commands.attempts import STRANGERS, device_of, device_token, new_device
from commands.refresh_tokens import KIND, Family
from commands.unit import Unit
from commands.user import User
from events.session import SessionStarted

__all__ = ["NOT_SIGNED_IN", "SignedIn", "begin_session"]


class SignedIn(Struct, frozen=True):
    """A session's holder, and the one token with which the session can be refreshed; `device` is for the device to keep."""

    user_id: UUID
    session_id: UUID
    refresh_token: str
    roles: frozenset[str]
    device: str = ""


NOT_SIGNED_IN: Final = SignedIn(UUID(int=0), UUID(int=0), "", frozenset())
"""What a sign-in results in that is refused, and of which something is recorded all the same."""


async def begin_session(
    unit: Unit, session_id: UUID, user: User, events: Sequence[SessionStarted], device: str | None
) -> SignedIn:
    """Record that the session starts, and keep its refresh tokens; the device that was let in is known from now on."""
    assert user.id is not None
    client, lifetime = unit.client, timedelta(days=unit.rules.refresh_token_days)
    family = Family.begun(unit.now, lifetime, client.address, client.user_agent)
    unit.record_session(session_id, user.id, *events)
    await unit.keep_secret(session_id, KIND, user.id, family.to_bytes())
    known = device_of(unit.rules.devices_key, user.id, device)
    if isinstance(user.email, str):
        await unit.forget_attempts(any_key(unit.rules.claims_key, user.email), known)
    token = device_token(unit.rules.devices_key, user.id, new_device() if known == STRANGERS else known)
    return SignedIn(user.id, session_id, family.token(session_id), user.roles, token)
