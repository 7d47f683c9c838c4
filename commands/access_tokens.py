"""Access tokens: JWTs as RFC 9068 has them, signed with Ed25519, which say who asks without a look into the database."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from jwt import InvalidTokenError
from jwt.api_jws import PyJWS
from msgspec import Struct, ValidationError

from commands.authentication import Authentication
from commands.signing_keys import ALGORITHM, SigningKey

__all__ = ["CLIENT_ID", "LONGEST_SECONDS", "AccessTokens", "Claims", "InvalidAccessToken", "UnknownSigningKey"]

TYPE: Final = "at+jwt"
CLIENT_ID: Final = "muster"
"""RFC 9068 wants the client's id; all clients are the registry's own."""
LONGEST_SECONDS: Final = 600
MOST_CHARACTERS: Final = 4096


class InvalidAccessToken(Exception):
    """The access token is not valid or no longer so; refresh the session or sign in again."""


class UnknownSigningKey(InvalidAccessToken):
    """The access token names a signing key that this process does not know (yet)."""


class Claims(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a token says: whose it is, of which session, with which roles, as of which position of the log.

    And when its holder last proved who they are, by what, and whether a second factor is expected of them.
    """

    iss: str
    aud: str
    sub: UUID
    client_id: str
    sid: UUID
    jti: UUID
    iat: int
    exp: int
    pos: int
    roles: tuple[str, ...]
    auth_time: int = 0
    amr: tuple[str, ...] = ()
    acr: str = ""
    factor_expected: bool = False


class _Header(Struct):
    typ: str
    alg: str
    kid: str


_jws: Final = PyJWS(algorithms=[ALGORITHM])
_claims: Final = msgspec.json.Decoder(Claims)


class AccessTokens:
    """Mints and verifies the tokens of one issuer for one audience."""

    def __init__(self, keys: Sequence[SigningKey], issuer: str, audience: str, seconds: int = LONGEST_SECONDS) -> None:
        self.issuer = issuer
        self.audience = audience
        self.seconds = seconds
        self.use(keys)

    def use(self, keys: Sequence[SigningKey]) -> None:
        """Verify with these keys from now on, and sign with the newest of them that may."""
        self.keys = list(keys)
        self._by_id = {key.key_id: key for key in keys}
        self._signs = next((key for key in reversed(keys) if key.private is not None), None)

    @property
    def can_sign(self) -> bool:
        """Whether there is a key that signs."""
        return self._signs is not None

    def mint(
        self,
        user_id: UUID,
        session_id: UUID,
        roles: Iterable[str],
        position: int,
        now: datetime,
        token_id: UUID,
        authentication: Authentication | None = None,
    ) -> str:
        """A token for a session, true as of `position`: what was recorded later, and cuts it off, has a greater one.

        Ed25519 signs without randomness: the same facts give the same token.
        """
        assert self._signs is not None, "`muster migrate` makes a signing key"
        assert self._signs.private is not None
        issued = int(now.timestamp())
        claims = Claims(
            iss=self.issuer,
            aud=self.audience,
            sub=user_id,
            client_id=CLIENT_ID,
            sid=session_id,
            jti=token_id,
            iat=issued,
            exp=issued + self.seconds,
            pos=position,
            roles=tuple(sorted(roles)),
            **_said(authentication),
        )
        headers = {"typ": TYPE, "kid": self._signs.key_id}
        return _jws.encode(msgspec.json.encode(claims), self._signs.private, ALGORITHM, headers)

    def verify(self, token: str, now: datetime) -> Claims:
        """What a token says, when it is ours, for this audience and not expired.

        Nothing in it chooses the algorithm or brings a key. Raises `InvalidAccessToken`, without saying why: that would
        help nobody who holds an honest one; `UnknownSigningKey` when newer keys may know it.
        """
        try:
            key = self._key(token)
            claims = _claims.decode(_jws.decode(token, key.public, [ALGORITHM]))
        except (InvalidTokenError, ValidationError, ValueError, RecursionError):
            raise InvalidAccessToken from None
        if (
            claims.iss != self.issuer
            or claims.aud != self.audience
            or not claims.iat <= claims.exp <= claims.iat + LONGEST_SECONDS
            or now.timestamp() >= claims.exp
        ):
            raise InvalidAccessToken
        return claims

    def _key(self, token: str) -> SigningKey:
        if len(token) > MOST_CHARACTERS or not token.isascii():
            raise InvalidAccessToken
        header = msgspec.convert(_jws.get_unverified_header(token), _Header)
        # RFC 9068 section 4: the media type may be written in full.
        if header.typ.lower().removeprefix("application/") != TYPE or header.alg != ALGORITHM:
            raise InvalidAccessToken
        try:
            return self._by_id[header.kid]
        except KeyError:
            raise UnknownSigningKey from None


def _said(authentication: Authentication | None) -> dict[str, Any]:
    if authentication is None:
        return {}
    return {
        "auth_time": int(authentication.at.timestamp()),
        "amr": authentication.amr,
        "acr": authentication.acr,
        "factor_expected": authentication.factor_expected,
    }
