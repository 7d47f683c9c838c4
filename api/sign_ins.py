"""Signing in, in each of the ways that there are."""

from msgspec import UNSET, UnsetType

from api.alarms import alarmed
from api.asking import ask, runtime_of
from api.bodies import Body, JsonRequest
from api.credentials import Assertion, plain
from api.devices import device_token_of
from api.fields import AnyAddress, Challenge, PresentPassword, RecoveryCode, TotpCode
from api.limits import SIGN_IN, limited
from commands.addresses import any_key
from commands.errors import InvalidCredentials, InvalidSecondFactor, UnknownPasskey
from commands.handler import Outcome
from commands.sign_in import SignIn
from commands.sign_in_with_passkey import SignInWithPasskey
from commands.signed_in import SignedIn
from commands.take_second_step import TakeSecondStep

__all__ = ["SignInBody", "sign_in"]


class SignInBody(Body, frozen=True):
    """An address and its password; where those were answered with a challenge, that and a second factor; or a passkey alone."""

    email: AnyAddress | UnsetType = UNSET
    password: PresentPassword | UnsetType = UNSET
    challenge: Challenge | UnsetType = UNSET
    totp: TotpCode | UnsetType = UNSET
    recovery_code: RecoveryCode | UnsetType = UNSET
    passkey: Assertion | UnsetType = UNSET

    forms = (
        ("email", "password"),
        ("challenge", "totp"),
        ("challenge", "recovery_code"),
        ("challenge", "passkey"),
        ("passkey",),
    )


async def sign_in(request: JsonRequest, data: SignInBody) -> Outcome[SignedIn]:
    """The session that a body of any form opens. Raises what the command of that form raises."""
    if isinstance(data.challenge, str):
        return await _second_step(request, data, data.challenge)
    if isinstance(data.passkey, Assertion):
        return await _with_passkey(request, data.passkey)
    assert isinstance(data.email, str)
    assert isinstance(data.password, str)
    return await _first_step(request, data.email, data.password)


async def _first_step(request: JsonRequest, email: str, password: str) -> Outcome[SignedIn]:
    device = device_token_of(request)
    process = runtime_of(request)
    key = any_key(process.rules.claims_key, email)
    # Strangers must not use up what a known device has, nor have as much again for each device that they make up.
    await limited(request, SIGN_IN, account=key + await process.handler.device_at(key, device))
    with alarmed("a stored password", InvalidCredentials):
        return await ask(request, SignIn(email, password, device))


async def _second_step(request: JsonRequest, data: SignInBody, challenge: str) -> Outcome[SignedIn]:
    await limited(request, SIGN_IN)
    command = TakeSecondStep(
        challenge,
        totp=data.totp if isinstance(data.totp, str) else None,
        recovery_code=data.recovery_code if isinstance(data.recovery_code, str) else None,
        passkey=plain(data.passkey) if isinstance(data.passkey, Assertion) else None,
        device=device_token_of(request),
    )
    with alarmed("a stored second factor", InvalidSecondFactor):
        return await ask(request, command)


async def _with_passkey(request: JsonRequest, passkey: Assertion) -> Outcome[SignedIn]:
    await limited(request, SIGN_IN)
    with alarmed("a stored passkey", UnknownPasskey):
        return await ask(request, SignInWithPasskey(plain(passkey), device_token_of(request)))
