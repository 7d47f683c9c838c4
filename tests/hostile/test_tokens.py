"""What is shown in place of an access token."""

import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events.keys import derived

NOBODY = "0190b0a6-ad31-7000-8000-61646d696e73"


def text(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(site, claims, **changes):
    """A token that this installation has signed, whatever it says; without what is None."""
    key = site.app.process.tokens.keys[0]
    payload = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(payload, key.private, "EdDSA", {"typ": "at+jwt", "kid": key.key_id})


@pytest.fixture
def forged(site, somebody):
    """Tokens that look like those of an administrator."""
    tokens = site.app.process.tokens
    real = somebody.tokens["access_token"]
    header = jwt.get_unverified_header(real)
    claims = jwt.decode(real, options={"verify_signature": False})
    royal = {**claims, "sub": str(site.administrator.id), "roles": ["administrator"]}
    public = tokens.keys[0].public.public_bytes_raw()
    stranger = Ed25519PrivateKey.generate()
    now = datetime.now(UTC)

    def ours(**changes):
        return signed(site, royal, **changes)

    return {
        "alg none": f"{text({**header, 'alg': 'none'})}.{text(royal)}.",
        "alg none, old signature": f"{text({**header, 'alg': 'none'})}.{text(royal)}.{real.split('.')[2]}",
        "another's signature": f"{text(header)}.{text(royal)}.{real.split('.')[2]}",
        "hmac by the public key": jwt.encode(royal, public * 2, "HS256", {**header, "alg": "HS256"}),
        "a stranger's key": jwt.encode(royal, stranger, "EdDSA", header),
        "a stranger's key, brought": jwt.encode(royal, stranger, "EdDSA", {**header, "jku": "https://evil.example"}),
        "hostile kid": jwt.encode(royal, stranger, "EdDSA", {**header, "kid": "../../dev/null"}),
        "kid of SQL": jwt.encode(royal, stranger, "EdDSA", {**header, "kid": "' OR 1=1 --"}),
        "no typ": jwt.encode(royal, tokens.keys[0].private, "EdDSA", {"kid": header["kid"], "typ": "JWT"}),
        "no exp": ours(exp=None),
        "exp as text": ours(exp="99999999999"),
        "exp far off": ours(exp=int(now.timestamp()) + 10**6),
        "expired": ours(exp=int(now.timestamp()) - 1, iat=int(now.timestamp()) - 601),
        "several audiences": ours(aud=[claims["aud"], "https://evil.example"]),
        "another audience": ours(aud="https://evil.example"),
        "another issuer": ours(iss="https://evil.example"),
        "no jti": ours(jti=None),
        "no sub": ours(sub=None),
        "no aud": ours(aud=None),
        "no iat": ours(iat=None),
        "from before everything": ours(pos=-1, sub=str(uuid4()), sid=str(uuid4())),
        "a refresh token": somebody.tokens["refresh_token"],
        "a link": site.link(somebody.id),
        "a link, signed as a token": jwt.encode(
            royal, derived(site.database.secret, "links"), "HS256", {**header, "alg": "HS256"}
        ),
        "nothing": "",
        "white space": " ",
        "two tokens": f"{real} {real}",
        "a comma": f"{real},{real}",
        "a quote": f'"{real}"',
        "ten thousand letters": "x" * 10_000,
        "deep nesting": base64.urlsafe_b64encode(b'{"a":' * 700).decode() + ".e30.e30",
    }


NAMES = [
    "alg none", "alg none, old signature", "another's signature", "hmac by the public key", "a stranger's key",
    "a stranger's key, brought", "hostile kid", "kid of SQL", "no typ", "no exp", "exp as text", "exp far off", "expired",
    "several audiences", "another audience", "another issuer", "no jti", "no sub", "no aud", "no iat",
    "from before everything", "a refresh token", "a link", "a link, signed as a token", "nothing", "white space",
    "two tokens", "a comma", "a quote", "ten thousand letters", "deep nesting",
]  # fmt: skip


def test_every_forgery_is_tried(forged):
    assert list(forged) == NAMES


@pytest.mark.parametrize("name", NAMES)
async def test_is_refused(site, forged, name):
    before = await site.head()
    headers = {"Authorization": f"Bearer {forged[name]}"}
    for method, path, body in (
        ("GET", "/v1/me", None),
        ("GET", "/v1/events", None),
        ("PUT", f"/v1/users/{NOBODY}/roles/administrator", None),
        ("POST", "/v1/users", {"email": "forged@example.com", "password": "a horse, a staple"}),
    ):
        answer = await site.request(method, path, headers=headers, json=body)
        assert answer.status_code == 401, path
        assert answer.json()["type"].endswith("/problems/invalid-access-token")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert await site.head() == before


async def test_what_is_signed_is_refused_for_what_it_says_alone(site):
    person = await site.seen(await site.person())
    claims = jwt.decode(person.tokens["access_token"], options={"verify_signature": False})
    for said, status in (({}, 200), ({"pos": 0, "sid": str(uuid4())}, 200), ({"pos": -1, "sid": str(uuid4())}, 401)):
        headers = {"Authorization": f"Bearer {signed(site, claims, **said)}"}
        assert (await site.get("/v1/me", headers=headers)).status_code == status, said


async def test_an_honest_one_is_taken(site, somebody):
    token = somebody.tokens["access_token"]
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await site.get("/v1/me", headers={"Authorization": f"{scheme} {token}"})).status_code == 200


@pytest.mark.parametrize(
    "authorization", ["Basic {token}", "{token}", "Token {token}", "Bearer", "Bearer  {token}", "Bearer\t{token}"]
)
async def test_other_schemes_are_refused(site, somebody, authorization):
    header = authorization.format(token=somebody.tokens["access_token"])
    assert (await site.get("/v1/me", headers={"Authorization": header})).status_code == 401


async def test_two_authorizations_are_refused(site, somebody):
    header = ("Authorization", somebody.headers["Authorization"])
    assert (await site.client.get("/v1/me", headers=[header, header])).status_code == 401


async def test_a_token_in_the_query_is_none(site, somebody):
    answer = await site.get(f"/v1/me?access_token={somebody.tokens['access_token']}")
    assert answer.status_code == 401


async def test_a_token_is_no_refresh_token_and_no_link(site, somebody):
    user_id = await site.registered()
    token = somebody.tokens["access_token"]
    assert (await site.post("/v1/sessions/refresh", {"refresh_token": token[:500]})).status_code == 401
    assert (await site.post(f"/v1/users/{user_id}/email/verify", {"token": token[:500]})).status_code == 400
    link = site.link(user_id)
    assert (await site.post("/v1/sessions/refresh", {"refresh_token": link})).status_code == 401
    refresh = somebody.tokens["refresh_token"]
    assert (await site.post(f"/v1/users/{user_id}/email/verify", {"token": refresh})).status_code == 400
    assert (
        await site.post(
            "/v1/administrators", {"token": link, "email": "x@example.com", "password": "a horse, a staple"}
        )
    ).status_code == 400
