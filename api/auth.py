"""Who asks, from the access token, and whether their roles let them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from api.reasons import NotPermitted, RevocationsBehind, SignInRequired
from api.revocations import Revocations
from commands.access_tokens import AccessTokens, InvalidAccessToken, UnknownSigningKey
from commands.authentication import TWO_FACTORS
from commands.roles import permissions

__all__ = ["Caller", "Gate", "anyone", "may", "not_permitted", "signed_in"]

MOST_REMEMBERED: Final = 20_000
Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


class Caller(Struct, frozen=True):
    """Someone who has signed in; `position` is that of the log as of which their roles are true.

    `authenticated_at`, in seconds of the epoch, is when they last proved who they are; 0 for what is not known.
    """

    user_id: UUID
    session_id: UUID
    permissions: frozenset[str]
    position: int
    expires: int
    authenticated_at: int = 0
    two_factors: bool = False
    factor_expected: bool = False

    def may(self, permission: str) -> bool:
        """Whether one of the caller's roles gives this permission."""
        return permission in self.permissions


class Gate:
    """Finds out who asks. Verifying a signature is dear, so a token that was verified is remembered until it expires."""

    def __init__(
        self, tokens: AccessTokens, revocations: Revocations, learn_keys: Callable[[], Awaitable[None]]
    ) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._learn_keys = learn_keys
        self._remembered: dict[str, Caller] = {}

    def forget(self) -> None:
        """Verify every token anew, for a key that has verified some does so no longer."""
        self._remembered.clear()

    async def caller(self, authorization: list[str]) -> Caller | None:
        """Whoever the Authorization headers speak for, or None without any.

        Raises `InvalidAccessToken` for whatever is not one living token of ours, `RevocationsBehind` when that cannot be
        told.
        """
        if not authorization:
            return None
        scheme, _, token = authorization[0].partition(" ")
        if len(authorization) > 1 or scheme.lower() != "bearer":
            raise InvalidAccessToken
        now = datetime.now(UTC)
        caller = self._remembered.get(token)
        if caller is None:
            caller = await self._verified(token, now)
        elif now.timestamp() >= caller.expires:
            del self._remembered[token]
            raise InvalidAccessToken
        if not self._revocations.trustworthy:
            raise RevocationsBehind
        if self._revocations.refuses(caller.session_id, caller.user_id, caller.position):
            raise InvalidAccessToken
        return caller

    async def _verified(self, token: str, now: datetime) -> Caller:
        try:
            claims = self._tokens.verify(token, now)
        except UnknownSigningKey:
            await self._learn_keys()
            claims = self._tokens.verify(token, now)
        caller = Caller(
            claims.sub,
            claims.sid,
            permissions(claims.roles),
            claims.pos,
            claims.exp,
            claims.auth_time,
            claims.acr == TWO_FACTORS,
            claims.factor_expected,
        )
        if len(self._remembered) >= MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = caller
        return caller


async def _enter(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller | None:
    authorization = [value.decode("latin-1") for name, value in connection.scope["headers"] if name == b"authorization"]
    gate: Gate = connection.app.state.gate
    caller = await gate.caller(authorization)
    connection.scope["user"] = caller
    return caller


async def anyone(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Whoever asks; but a token that is presented must be good."""
    await _enter(connection)


async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Whoever has signed in."""
    if await _enter(connection) is None:
        raise SignInRequired


def may(permission: str) -> Guard:
    """Whoever has signed in with a role that gives this permission."""

    async def permitted(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        caller = await _enter(connection)
        if caller is None:
            raise SignInRequired
        if not caller.may(permission):
            raise not_permitted(permission)

    return permitted


def not_permitted(permission: str) -> NotPermitted:
    """RFC 6750 section 3.1: the scope that is missing is named."""
    challenge = f'Bearer realm="muster", error="insufficient_scope", scope="{permission}"'
    return NotPermitted(headers={"WWW-Authenticate": challenge})
