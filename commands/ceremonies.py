"""WebAuthn's ceremonies (Level 3): what a browser answers is held against a challenge of ours, by the `webauthn` library.

A passkey is always asked to verify its user, so that it is two factors in one. Attestation is not asked for: which make
an authenticator is of is nobody's business here.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers.cose import COSEAlgorithmIdentifier

from commands.challenges import Challenge, challenge_bytes, read_challenge
from commands.errors import InvalidPasskey
from commands.passkeys import Passkey
from commands.unit import Unit

__all__ = ["ALGORITHMS", "Made", "answered", "credential_id_of", "made", "rp_id", "signed", "user_handle_of"]

ALGORITHMS: Final = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
T = TypeVar("T")


class Made(Struct, frozen=True):
    """What an authenticator has made: a key pair, of which this is the public half, and by which id it finds it again."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


def rp_id(base_url: str) -> str:
    """For which domain passkeys are made: that of the installation."""
    return urlsplit(base_url).hostname or ""


def answered(unit: Unit, purpose: str, credential: Mapping[str, Any]) -> tuple[str, Challenge]:
    """The challenge that an answer is to, and its token. That it is one of ours is proved; the answer is not.

    Raises `InvalidPasskey` for what is no answer, `InvalidChallenge` for an answer to anything else.
    """
    token = _understood(lambda: str(_client_data(credential)["challenge"]))
    return token, read_challenge(unit.rules.links_key, purpose, token, unit.now)


def credential_id_of(credential: Mapping[str, Any]) -> bytes:
    """Which passkey answers, as it says."""
    return _understood(lambda: _bytes(credential["rawId"]))


def user_handle_of(credential: Mapping[str, Any]) -> bytes:
    """Whose it is, as the passkey was told when it was made; nothing where it does not say."""
    return _understood(lambda: _bytes(credential["response"].get("userHandle") or ""))


def made(credential: Mapping[str, Any], challenge: str, base_url: str) -> Made:
    """What was made in answer to this challenge, on a page of this installation. Raises `InvalidPasskey`."""

    def verified() -> Made:
        _same_origin(credential)
        found = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge_bytes(challenge),
            expected_rp_id=rp_id(base_url),
            expected_origin=_origin(base_url),
            require_user_verification=True,
            supported_pub_key_algs=[*ALGORITHMS],
        )
        return Made(found.credential_id, found.credential_public_key, found.sign_count)

    return _understood(verified)


def signed(credential: Mapping[str, Any], challenge: str, base_url: str, passkey: Passkey) -> int:
    """How often the passkey has signed, this challenge last. Whether that is more than before is for the asker to say.

    Raises `InvalidPasskey`.
    """

    def verified() -> int:
        _same_origin(credential)
        found = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge_bytes(challenge),
            expected_rp_id=rp_id(base_url),
            expected_origin=_origin(base_url),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        return found.new_sign_count

    return _understood(verified)


def _origin(base_url: str) -> str:
    """As browsers write it: without the port that goes without saying."""
    parts = urlsplit(base_url.lower())
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def _same_origin(credential: Mapping[str, Any]) -> None:
    if _client_data(credential).get("crossOrigin"):
        raise InvalidPasskey


def _client_data(credential: Mapping[str, Any]) -> dict[str, Any]:
    found = json.loads(_bytes(credential["response"]["clientDataJSON"]))
    if not isinstance(found, dict):
        raise InvalidPasskey
    return found


def _bytes(text: str) -> bytes:
    return challenge_bytes(text)


def _understood(read: Callable[[], T]) -> T:
    """What is read from a stranger's bytes, over which a library may stumble in any way."""
    try:
        return read()
    except Exception:  # noqa: BLE001 - CBOR, COSE, JSON and ASN.1 of a stranger's, none of which is worth telling apart
        raise InvalidPasskey from None
