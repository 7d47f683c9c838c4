"""What a command knows of a user's second factors, folded from the user's stream."""

from typing import Final, TypeAlias, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from events.user import (
    PasskeyAdded,
    PasskeyRemoved,
    RecoveryCodesIssued,
    RecoveryCodeUsed,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
)

__all__ = ["NO_FACTORS", "PASSKEY", "RECOVERY_CODE", "TOTP", "FactorEvent", "Factors", "evolve"]

TOTP: Final = "totp"
PASSKEY: Final = "passkey"
RECOVERY_CODE: Final = "recovery_code"

FactorEvent: TypeAlias = (
    TotpEnrolled | TotpConfirmed | TotpRemoved | RecoveryCodesIssued | RecoveryCodeUsed | PasskeyAdded | PasskeyRemoved
)


class Factors(Struct, frozen=True):
    """The secret of an app is `totp_enrolled` until a first code makes it `totp`; of recovery codes, so many are left.

    `version` is that of the user's stream at which a factor was last added or removed.
    """

    totp_enrolled: bool = False
    totp: bool = False
    passkeys: frozenset[UUID] = frozenset()
    recovery_codes: int = 0
    version: int = 0

    @property
    def methods(self) -> tuple[str, ...]:
        """What is asked for beside the password, any one of it; nothing where the password is enough."""
        there = ((TOTP, self.totp), (PASSKEY, bool(self.passkeys)))
        return tuple(method for method, is_there in there if is_there)

    @property
    def steps(self) -> tuple[str, ...]:
        """Whatever may be given as the second step of a sign-in: a second factor, or a recovery code in its place."""
        return (*self.methods, RECOVERY_CODE) if self.methods and self.recovery_codes else self.methods


NO_FACTORS: Final = Factors()


def evolve(factors: Factors, event: FactorEvent, version: int) -> Factors:
    """The factors after one more fact, at this version of the user's stream."""
    match event:
        case TotpEnrolled():
            return replace(factors, totp_enrolled=True)
        case TotpConfirmed():
            return replace(factors, totp_enrolled=False, totp=True, version=version)
        case TotpRemoved():
            return _left(replace(factors, totp_enrolled=False, totp=False, version=version))
        case RecoveryCodesIssued(count=left) | RecoveryCodeUsed(left=left):
            return replace(factors, recovery_codes=left)
        case PasskeyAdded(passkey_id=passkey_id):
            return replace(factors, passkeys=factors.passkeys | {passkey_id}, version=version)
        case PasskeyRemoved(passkey_id=passkey_id):
            return _left(replace(factors, passkeys=factors.passkeys - {passkey_id}, version=version))
        case unreachable:
            assert_never(unreachable)


def _left(factors: Factors) -> Factors:
    """Recovery codes stand in for what is there, and for nothing else."""
    return factors if factors.methods else replace(factors, recovery_codes=0)
