"""Asking for the present password once more, before something that a stolen token must not do."""

from typing import Final
from uuid import UUID

from commands.errors import TooManyAttempts, WrongPassword
from commands.secrets import PASSWORD, Secret
from commands.unit import Unit

__all__ = ["verify_present_password"]

PRESENT: Final = b"present password"
"""Those who have a token have attempts of their own, which lock out nobody who signs in."""


async def verify_present_password(unit: Unit, user_id: UUID, password: str) -> Secret:
    """The secret that is kept of it. Raises `WrongPassword` or, when it was wrong too often, `TooManyAttempts`."""
    with unit.hasher.place() as place:
        attempt = await unit.reserve_attempt(user_id.bytes, PRESENT)
        if not attempt.reserved:
            raise TooManyAttempts
        secret = await unit.secret(user_id, PASSWORD)
        hashed = secret.plain.decode() if secret else None
        verified = await unit.once(("verify", hashed), lambda: place.verify(password, hashed))
    if not verified.matches:
        raise WrongPassword
    assert secret is not None
    await unit.forget_attempts(user_id.bytes, PRESENT)
    return secret
