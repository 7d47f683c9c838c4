"""Who asks, from the access token or the API key, and whether their roles let them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from api.caller import Caller
from api.key_bearers import KeyBearers
from api.reasons import NotPermitted, RevocationsBehind, SessionRequired, SignInRequired
from api.revocations import Revocations
from commands.access_tokens import AccessTokens, InvalidAccessToken, UnknownSigningKey
from commands.api_keys import PREFIX
from commands.authentication import TWO_FACTORS
from commands.roles import READ_OWN, WRITE_OWN, permissions

__all__ = ["Caller", "Gate", "anyone", "in_session", "may", "not_permitted", "require_oneself", "signed_in"]

MOST_REMEMBERED: Final = 20_000
Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


class Gate:
    """Finds out who asks. Verifying a signature is dear, so a token that was verified is remembered until it expires."""

    def __init__(
        self,
        tokens: AccessTokens,
        revocations: Revocations,
        learn_keys: Callable[[], Awaitable[None]],
        key_bearers: KeyBearers,
        not_before: int = 0,
    ) -> None:
        """Positions mean nothing across epochs, so that tokens which were issued before this moment are refused."""
        self._not_before = not_before
        self._tokens = tokens
        self._key_bearers = key_bearers
        self._revocations = revocations
        self._learn_keys = learn_keys
        self._remembered: dict[str, Caller] = {}

    def forget(self) -> None:
        """Verify every token anew, for a key that has verified some does so no longer."""
        self._remembered.clear()

    async def caller(self, authorization: list[str]) -> Caller | None:
        """Whoever the Authorization headers speak for, or None without any.

        Raises `InvalidAccessToken` for whatever is not one living token or key of ours, `RevocationsBehind` when that
        cannot be told.
        """
        if not authorization:
            return None
        scheme, _, token = authorization[0].partition(" ")
        if len(authorization) > 1 or scheme.lower() != "bearer":
            raise InvalidAccessToken
        now = datetime.now(UTC)
        if token.startswith(PREFIX):
            if not self._revocations.trustworthy:
                raise RevocationsBehind
            return await self._key_bearers.caller(token, now)
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
        if claims.iat < self._not_before:
            raise InvalidAccessToken
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
    """Whoever has signed in, or acts for them with an API key."""
    if await _enter(connection) is None:
        raise SignInRequired


async def in_session(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Whoever has signed in themselves; no API key does."""
    caller = await _enter(connection)
    if caller is None:
        raise SignInRequired
    if caller.key_id is not None:
        raise SessionRequired


def may(permission: str) -> Guard:
    """Whoever has signed in with a role that gives this permission."""

    async def permitted(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        caller = await _enter(connection)
        if caller is None:
            raise SignInRequired
        if not caller.may(permission):
            raise not_permitted(permission)

    return permitted


def require_oneself(caller: Caller, method: str) -> None:
    """Let an API key see or change its user's own account only where its scopes say so. Raises `NotPermitted`."""
    scope = READ_OWN if method in ("GET", "HEAD") else WRITE_OWN
    if not caller.may_oneself(scope):
        raise not_permitted(scope)


def not_permitted(permission: str) -> NotPermitted:
    """RFC 6750 section 3.1: the scope that is missing is named."""
    challenge = f'Bearer realm="muster", error="insufficient_scope", scope="{permission}"'
    return NotPermitted(headers={"WWW-Authenticate": challenge})
