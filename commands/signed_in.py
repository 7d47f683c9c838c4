"""How a session begins, whatever let its holder in."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from commands.addresses import any_key
from commands.attempts import STRANGERS, device_of, device_token, new_device
from commands.authentication import Authentication
from commands.refresh_tokens import KIND, Family
from commands.session import Session
from commands.unit import Unit
from commands.user import User
from events.session import SessionStarted

__all__ = ["NOT_SIGNED_IN", "SignedIn", "authentication_of", "begin_session", "give_attempts_back"]


class SignedIn(Struct, frozen=True):
    """A session's holder, and the one token with which the session can be refreshed; `device` is for the device to keep.

    The token is empty where the one that is known stays. What was answered before version 0.2 has no `authentication`.
    """

    user_id: UUID
    session_id: UUID
    refresh_token: str
    roles: frozenset[str]
    device: str = ""
    authentication: Authentication | None = None


NOT_SIGNED_IN: Final = SignedIn(UUID(int=0), UUID(int=0), "", frozenset())
"""What a sign-in results in that is refused, and of which something is recorded all the same."""


async def begin_session(
    unit: Unit, session_id: UUID, user: User, events: Sequence[SessionStarted], device: str | None
) -> SignedIn:
    """Record that the session starts, and keep its refresh tokens; the device that was let in is known from now on."""
    assert user.id is not None
    client, lifetime = unit.client, timedelta(days=unit.rules.refresh_token_days)
    methods = tuple(method for event in events for method in event.method.split("+"))
    family = Family.begun(unit.now, lifetime, client.address, client.user_agent, methods)
    unit.record_session(session_id, user.id, *events)
    await unit.keep_secret(session_id, KIND, user.id, family.to_bytes())
    known = device_of(unit.rules.devices_key, user.id, device)
    token = device_token(unit.rules.devices_key, user.id, new_device() if known == STRANGERS else known)
    authentication = Authentication(unit.now, methods, bool(user.factors.methods))
    return SignedIn(user.id, session_id, family.token(session_id), user.roles, token, authentication)


async def give_attempts_back(unit: Unit, user: User, device: str | None) -> None:
    """Whoever got in with the password has not guessed it."""
    if user.id is not None and isinstance(user.email, str):
        known = device_of(unit.rules.devices_key, user.id, device)
        await unit.forget_attempts(any_key(unit.rules.claims_key, user.email), known)


def authentication_of(family: Family, session: Session, user: User) -> Authentication:
    """When and with what the holder of a session that goes on last proved who they are: at its beginning at the latest."""
    at = family.authenticated_at or session.began_at or family.rotated_at
    return Authentication(at, family.methods, bool(user.factors.methods))
