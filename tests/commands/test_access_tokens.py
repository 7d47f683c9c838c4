"""Access tokens, and everything that only looks like one."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commands.access_tokens import AccessTokens, InvalidAccessToken, UnknownSigningKey
from commands.authentication import Authentication
from commands.signing_keys import SigningKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ISSUER = "https://muster.example"


def signing_key(name: str = "one") -> SigningKey:
    private = Ed25519PrivateKey.generate()
    return SigningKey(name, private.public_key(), private)


def claims(**changes: Any) -> dict[str, Any]:
    issued = int(NOW.timestamp())
    values = {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": str(uuid4()),
        "client_id": "muster",
        "sid": str(uuid4()),
        "jti": str(uuid4()),
        "iat": issued,
        "exp": issued + 600,
        "pos": 7,
        "roles": ["auditor"],
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


KEY = signing_key()


@pytest.fixture
def tokens() -> AccessTokens:
    return AccessTokens([KEY], ISSUER, ISSUER)


def signed(payload: dict[str, Any], key: SigningKey = KEY, **headers: Any) -> str:
    assert key.private is not None
    named = {"typ": "at+jwt", "kid": key.key_id, **headers}
    return jwt.encode(
        payload, key.private, "EdDSA", {name: value for name, value in named.items() if value is not None}
    )


def test_says_whose_it_is_of_which_session_and_as_of_which_position(tokens):
    user_id, session_id = uuid4(), uuid4()
    said = tokens.verify(tokens.mint(user_id, session_id, {"b", "a"}, 42, NOW, uuid4()), NOW)
    assert (said.sub, said.sid, said.roles, said.pos, said.exp - said.iat) == (user_id, session_id, ("a", "b"), 42, 600)


def test_is_a_jwt_as_rfc_9068_has_them(tokens):
    token = tokens.mint(uuid4(), uuid4(), (), 1, NOW, uuid4())
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": "one"}
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= jwt.decode(
        token, options={"verify_signature": False}
    ).keys()


def test_every_token_has_an_id_of_its_own(tokens):
    made = {tokens.verify(tokens.mint(uuid4(), uuid4(), (), 1, NOW, uuid4()), NOW).jti for _ in range(10)}
    assert len(made) == 10


def test_ends_when_it_expires_and_not_before(tokens):
    token = tokens.mint(uuid4(), uuid4(), (), 1, NOW, uuid4())
    assert tokens.verify(token, NOW + timedelta(seconds=599)).pos == 1
    with pytest.raises(InvalidAccessToken):
        tokens.verify(token, NOW + timedelta(seconds=600))


def test_takes_the_media_type_written_in_full(tokens):
    assert tokens.verify(signed(claims(), typ="application/AT+JWT"), NOW).pos == 7


def test_a_key_that_is_retired_verifies_and_the_newest_signs():
    old, new = signing_key("old"), signing_key("new")
    before = AccessTokens([old], ISSUER, ISSUER).mint(uuid4(), uuid4(), (), 1, NOW, uuid4())
    after = AccessTokens([SigningKey("old", old.public, None), new], ISSUER, ISSUER)
    assert after.verify(before, NOW).pos == 1
    assert jwt.get_unverified_header(after.mint(uuid4(), uuid4(), (), 1, NOW, uuid4()))["kid"] == "new"


def test_a_key_that_is_not_known_is_told_apart_so_that_it_can_be_learnt(tokens):
    with pytest.raises(UnknownSigningKey):
        tokens.verify(signed(claims(), signing_key("other")), NOW)


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "client_id", "sid", "jti", "iat", "exp", "pos", "roles"])
def test_refuses_a_token_without_a_claim(tokens, missing):
    with pytest.raises(InvalidAccessToken):
        tokens.verify(signed(claims(**{missing: None})), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": [ISSUER]},
        {"aud": "https://other.example"},
        {"iss": "https://other.example"},
        {"exp": str(int(NOW.timestamp()) + 600)},
        {"exp": float(NOW.timestamp()) + 600.5},
        {"exp": True},
        {"exp": int(NOW.timestamp()) + 86_400},
        {"exp": 10**30},
        {"exp": int(NOW.timestamp()) - 10},
        {"iat": str(int(NOW.timestamp()))},
        {"iat": int(NOW.timestamp()) + 700},
        {"sub": "root"},
        {"sub": ["x"]},
        {"sid": 7},
        {"jti": ""},
        {"pos": "7"},
        {"pos": -1.5},
        {"roles": "administrator"},
        {"roles": {"administrator": True}},
    ],
    ids=str,
)
def test_refuses_a_claim_that_is_not_what_it_should_be(tokens, changes):
    with pytest.raises(InvalidAccessToken):
        tokens.verify(signed(claims(**changes)), NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"typ": "refresh+jwt"},
        {"kid": None},
        {"kid": "../../etc/passwd"},
        {"kid": "one' OR '1'='1"},
        {"kid": "x" * 100_000},
        {"crit": ["exp"]},
    ],
    ids=lambda headers: str(headers)[:60],
)
def test_refuses_a_header_that_is_not_ours(tokens, headers):
    with pytest.raises(InvalidAccessToken):
        tokens.verify(signed(claims(), **headers), NOW)


def test_refuses_a_signature_by_a_key_that_the_token_brings(tokens):
    stranger = Ed25519PrivateKey.generate()
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": text(stranger.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }
    for header in ({"jwk": jwk}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/certificate"}):
        token = jwt.encode(claims(), stranger, "EdDSA", {"typ": "at+jwt", "kid": "one", **header})
        with pytest.raises(InvalidAccessToken):
            tokens.verify(token, NOW)


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_refuses_other_algorithms_than_ours(tokens):
    public = KEY.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    header = {"typ": "at+jwt", "kid": "one"}
    unsigned = f"{text(json.dumps({**header, 'alg': 'none'}).encode())}.{text(json.dumps(claims()).encode())}."
    hmac = jwt.encode(claims(), public * 2, "HS256", header)
    for token in (unsigned, unsigned.replace("none", "None"), hmac, hmac.replace("HS256", "EdDSA")):
        with pytest.raises(InvalidAccessToken):
            tokens.verify(token, NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "é.é.é",
        "x" * 10_000,
        "e30.e30.e30",
        text(b'{"a":' * 900) + ".e30.e30",
        text(b"[]") + ".e30.x",
    ],
    ids=lambda token: token[:20],
)
def test_refuses_what_is_no_jwt(tokens, token):
    with pytest.raises(InvalidAccessToken):
        tokens.verify(token, NOW)


def test_refuses_one_letter_that_was_changed(tokens):
    token = tokens.mint(uuid4(), uuid4(), (), 1, NOW, uuid4())
    for place in range(0, len(token) - 1, 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(InvalidAccessToken):
            tokens.verify(changed, NOW)


def test_tells_when_its_holder_proved_who_they_are_and_by_what(tokens):
    proof = Authentication(NOW - timedelta(hours=1), ("password", "totp"), factor_expected=True)
    said = tokens.verify(tokens.mint(uuid4(), uuid4(), (), 1, NOW, uuid4(), proof), NOW)
    assert (said.auth_time, said.amr, said.acr) == (int(NOW.timestamp()) - 3600, ("pwd", "otp", "mfa"), "two-factors")
    assert said.factor_expected


def test_one_of_before_does_not_tell_and_is_read(tokens):
    said = tokens.verify(signed(claims()), NOW)
    assert (said.auth_time, said.amr, said.acr, said.factor_expected) == (0, (), "", False)
