"""Taking what is given as the second factor, once: a code of an app, a passkey, or a recovery code in their place."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from commands import recovery_codes, totp
from commands.errors import Refused, TooManyAttempts
from commands.factors import PASSKEY, RECOVERY_CODE, TOTP
from commands.present_password import PRESENT
from commands.recovery_codes import RecoveryCodes
from commands.take_passkey import take_passkey
from commands.totp import AppSecret
from commands.unit import Unit
from commands.user import User
from events.user import RecoveryCodeUsed, SecondFactorRefused

__all__ = ["AT_SIGN_IN", "AT_STEP_UP", "Given", "take_second_factor"]

AT_SIGN_IN: Final = b"second step"
AT_STEP_UP: Final = b"step up"
"""Attempts are counted apart for each occasion: those who have a token must not shut out who signs in."""

KNOWN: Final = b"known"
"""Devices that have signed in before have attempts of their own, all of them together: strangers cannot use those up.

Were they each device's own, whoever signed in often before there was a factor would have as many times the guesses.
"""

WAIT: Final = "The second factor was wrong too often; wait a while."


class Given(Struct, frozen=True):
    """One of these; the others are None."""

    totp: str | None = None
    recovery_code: str | None = None
    passkey: Mapping[str, Any] | None = None
    challenge: str = ""
    """What the passkey has to have signed."""


async def take_second_factor(
    unit: Unit,
    user_id: UUID,
    user: User,
    given: Given,
    refusal: Refused,
    occasion: bytes = AT_SIGN_IN,
    *,
    known: bool = False,
) -> str | None:
    """By which method it was given: it is spent when the command is recorded, so that of many at once one succeeds.

    None when it is not the right one: then the unit is refused, and the last attempt that there is is told to the owner.
    An attempt is reserved before anything is looked at; `known` is whether the device has signed in before. Raises `TooManyAttempts` where there is none.
    """
    key, device = user_id.bytes + occasion, KNOWN if known else PRESENT
    # Whoever is asked for a second factor has the password: it is no sign-in of its own, and is not counted as one.
    attempt = await unit.reserve_attempt(key, device, unit.rules.second_step_attempts)
    if not attempt.reserved:
        raise TooManyAttempts(WAIT)
    method = await _taken(unit, user_id, user, given)

    async def right() -> bool:
        return method is not None

    was_right = await unit.once(("right", key), right)  # also of one that somebody else was quicker to spend
    if method is None:
        if attempt.last and not was_right and not await _spent(unit, user_id, given):
            unit.record_user(user_id, SecondFactorRefused())
        unit.refuse(refusal)
        return None
    await unit.forget_attempts(key, device)
    return method


async def _taken(unit: Unit, user_id: UUID, user: User, given: Given) -> str | None:
    if given.totp is not None and user.factors.totp:
        return TOTP if await _code_taken(unit, user_id, given.totp) else None
    if given.passkey is not None and user.factors.passkeys:
        return PASSKEY if await take_passkey(unit, user_id, given.passkey, given.challenge) else None
    if given.recovery_code is not None and user.factors.methods:
        return RECOVERY_CODE if await _recovery_code_taken(unit, user_id, given.recovery_code) else None
    return None


async def _spent(unit: Unit, user_id: UUID, given: Given) -> bool:
    """Whether it is a right code that was taken already: whoever sends one twice guesses nothing."""
    secret = await unit.secret(user_id, totp.KIND) if given.totp is not None else None
    return secret is not None and AppSecret.from_bytes(secret.plain).is_code(given.totp or "", unit.now)


async def _code_taken(unit: Unit, user_id: UUID, code: str) -> bool:
    secret = await unit.secret(user_id, totp.KIND)
    taken = AppSecret.from_bytes(secret.plain).taken(code, unit.now) if secret else None
    if secret is None or taken is None:
        return False
    await unit.keep_secret(user_id, totp.KIND, user_id, taken.to_bytes(), secret.revision)
    return True


async def _recovery_code_taken(unit: Unit, user_id: UUID, code: str) -> bool:
    secret = await unit.secret(user_id, recovery_codes.KIND)
    left = RecoveryCodes.from_bytes(secret.plain).without(code) if secret else None
    if secret is None or left is None:
        return False
    await unit.keep_secret(user_id, recovery_codes.KIND, user_id, left.to_bytes(), secret.revision)
    unit.record_user(user_id, RecoveryCodeUsed(len(left.hashes)))
    return True
