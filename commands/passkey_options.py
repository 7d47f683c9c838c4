"""What browsers are told before they make or use a passkey: options in the JSON of WebAuthn Level 3 (section 5.1.8)."""

import base64
from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from msgspec import Struct

from commands.passkeys import Passkey

__all__ = ["CreationOptions", "RequestOptions", "creation_options", "request_options"]


class RelyingParty(Struct, frozen=True):
    """The installation."""

    id: str
    name: str


class PasskeyAccount(Struct, frozen=True, rename="camel"):
    """Whose the passkey will be, by an id in base64url, and what to call the account when one of several is chosen."""

    id: str
    name: str
    display_name: str


class KeyKind(Struct, frozen=True):
    """A kind of key that is taken, by its number in the registry of COSE."""

    alg: int
    type: Literal["public-key"] = "public-key"


class KnownPasskey(Struct, frozen=True):
    """A passkey that is there already."""

    id: str
    transports: tuple[str, ...]
    type: Literal["public-key"] = "public-key"


class AuthenticatorSelection(Struct, frozen=True, rename="camel"):
    """The passkey must be found without being named, and verify its user."""

    resident_key: Literal["required"] = "required"
    require_resident_key: bool = True
    user_verification: Literal["required"] = "required"


class CreationOptions(Struct, frozen=True, rename="camel"):
    """For `PublicKeyCredential.parseCreationOptionsFromJSON` and `navigator.credentials.create`."""

    rp: RelyingParty
    user: PasskeyAccount
    challenge: str
    pub_key_cred_params: tuple[KeyKind, ...]
    timeout: int
    exclude_credentials: tuple[KnownPasskey, ...]
    authenticator_selection: AuthenticatorSelection = AuthenticatorSelection()
    attestation: Literal["none"] = "none"


class RequestOptions(Struct, frozen=True, rename="camel"):
    """For `PublicKeyCredential.parseRequestOptionsFromJSON` and `navigator.credentials.get`."""

    challenge: str
    timeout: int
    rp_id: str
    allow_credentials: tuple[KnownPasskey, ...] = ()
    user_verification: Literal["required"] = "required"


def creation_options(
    rp_id: str,
    user_id: UUID,
    names: tuple[str, str],
    challenge: tuple[str, int],
    kept: Sequence[Passkey],
    kinds: Iterable[int],
) -> CreationOptions:
    """Options for one more passkey of a user with these names (address, display name), none of those that are kept."""
    token, seconds = challenge
    return CreationOptions(
        RelyingParty(rp_id, rp_id),
        PasskeyAccount(_base64url(user_id.bytes), *names),
        token,
        tuple(map(KeyKind, kinds)),
        seconds * 1000,
        tuple(KnownPasskey(_base64url(one.credential_id), one.transports) for one in kept),
    )


def request_options(rp_id: str, challenge: tuple[str, int]) -> RequestOptions:
    """Options for any passkey of this installation: the browser lets people choose."""
    token, seconds = challenge
    return RequestOptions(token, seconds * 1000, rp_id)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
