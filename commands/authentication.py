"""When the holder of a session last proved who they are, and with what: as access tokens tell it.

RFC 9068 section 2.2.1 takes `auth_time`, `amr` and `acr` from OpenID Connect; the values of `amr` are those of RFC 8176.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

__all__ = ["ONE_FACTOR", "PASSWORD", "TWO_FACTORS", "Authentication"]

PASSWORD: Final = "password"  # noqa: S105 - a method, not one
ONE_FACTOR: Final = "one-factor"
TWO_FACTORS: Final = "two-factors"

_AMR: Final = {PASSWORD: "pwd", "totp": "otp", "recovery_code": "otp", "passkey": "pop"}


class Authentication(Struct, frozen=True):
    """The moment and the methods; `factor_expected` is whether the user has a second factor, which may be later than that."""

    at: datetime
    methods: tuple[str, ...]
    factor_expected: bool = False

    @property
    def acr(self) -> str:
        """Whether the password was all that was given."""
        return ONE_FACTOR if self.methods == (PASSWORD,) else TWO_FACTORS

    @property
    def amr(self) -> tuple[str, ...]:
        """The methods by their registered names."""
        names = tuple(dict.fromkeys(_AMR[method] for method in self.methods))
        return (*names, "mfa") if self.acr == TWO_FACTORS else names
