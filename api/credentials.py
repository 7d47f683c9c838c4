"""What browsers answer with a passkey, in the JSON of WebAuthn Level 3 (sections 5.1 and 5.2), as `toJSON()` gives it."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field, to_builtins

from api.bodies import Body

__all__ = ["Assertion", "Attestation", "plain"]

Base64Url = Annotated[
    str, Meta(pattern="^[A-Za-z0-9_-]*$", max_length=16_384, description="Bytes in base64url, without padding.")
]
Extensions = Annotated[dict[str, Any], Meta(description="What extensions answered; none is asked for.")]
Attachment = Annotated[
    str, Meta(max_length=64, description="Whether the authenticator is part of the device; not looked at.")
]
Transports = Annotated[
    list[str], Meta(max_length=16, description="How the authenticator is reached: a hint for the next time.")
]


class AttestationResponse(Body, frozen=True):
    """What was made, and for what."""

    client_data_json: Base64Url = field(name="clientDataJSON")
    attestation_object: Base64Url = field(name="attestationObject")
    authenticator_data: Base64Url | UnsetType = field(name="authenticatorData", default=UNSET)
    transports: Transports | UnsetType = UNSET
    public_key: Base64Url | UnsetType | None = field(name="publicKey", default=UNSET)
    public_key_algorithm: int | UnsetType = field(name="publicKeyAlgorithm", default=UNSET)


class Attestation(Body, frozen=True):
    """A passkey that was made."""

    id: Base64Url
    raw_id: Base64Url = field(name="rawId")
    response: AttestationResponse
    type: Literal["public-key"]
    authenticator_attachment: Attachment | UnsetType | None = field(name="authenticatorAttachment", default=UNSET)
    client_extension_results: Extensions | UnsetType = field(name="clientExtensionResults", default=UNSET)


class AssertionResponse(Body, frozen=True):
    """What was signed, and for what."""

    client_data_json: Base64Url = field(name="clientDataJSON")
    authenticator_data: Base64Url = field(name="authenticatorData")
    signature: Base64Url
    user_handle: Base64Url | UnsetType | None = field(name="userHandle", default=UNSET)


class Assertion(Body, frozen=True):
    """What a passkey has signed."""

    id: Base64Url
    raw_id: Base64Url = field(name="rawId")
    response: AssertionResponse
    type: Literal["public-key"]
    authenticator_attachment: Attachment | UnsetType | None = field(name="authenticatorAttachment", default=UNSET)
    client_extension_results: Extensions | UnsetType = field(name="clientExtensionResults", default=UNSET)


def plain(answer: Assertion | Attestation) -> dict[str, Any]:
    """The answer as the JSON that it was, for commands."""
    made: dict[str, Any] = to_builtins(answer)
    return made
