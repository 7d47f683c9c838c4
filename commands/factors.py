"""What a command knows of a user's second factors, folded from the user's stream."""

from collections.abc import Mapping
from datetime import UTC, datetime
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

__all__ = ["NO_FACTORS", "PASSKEY", "RECOVERY_CODE", "TOTP", "FactorEvent", "Factors", "evolve", "removals"]

TOTP: Final = "totp"
PASSKEY: Final = "passkey"
RECOVERY_CODE: Final = "recovery_code"

FactorEvent: TypeAlias = (
    TotpEnrolled | TotpConfirmed | TotpRemoved | RecoveryCodesIssued | RecoveryCodeUsed | PasskeyAdded | PasskeyRemoved
)


class Factors(Struct, frozen=True):
    """The secret of an app is `totp_enrolled` until a first code makes it `totp`; of recovery codes, so many are left.

    Of an app and of each passkey it is known since when it has been a factor. `version` is that of the user's stream at
    which a factor was last added or removed.
    """

    totp_enrolled: bool = False
    totp_since: datetime | None = None
    passkeys: Mapping[UUID, datetime] = {}
    recovery_codes: int = 0
    version: int = 0

    @property
    def totp(self) -> bool:
        """Whether the codes of an app are a factor."""
        return self.totp_since is not None

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
EVER: Final = datetime.min.replace(tzinfo=UTC)


def evolve(factors: Factors, event: FactorEvent, version: int, at: datetime) -> Factors:
    """The factors after one more fact, at this version of the user's stream and at this moment."""
    match event:
        case TotpEnrolled():
            return replace(factors, totp_enrolled=True)
        case TotpConfirmed():
            return replace(factors, totp_enrolled=False, totp_since=at, version=version)
        case TotpRemoved():
            return _left(replace(factors, totp_enrolled=False, totp_since=None, version=version))
        case RecoveryCodesIssued(count=left) | RecoveryCodeUsed(left=left):
            return replace(factors, recovery_codes=left)
        case PasskeyAdded(passkey_id=passkey_id):
            return replace(factors, passkeys={**factors.passkeys, passkey_id: at}, version=version)
        case PasskeyRemoved(passkey_id=passkey_id):
            others = {one: since for one, since in factors.passkeys.items() if one != passkey_id}
            return _left(replace(factors, passkeys=others, version=version))
        case unreachable:
            assert_never(unreachable)


def removals(factors: Factors, since: datetime = EVER) -> list[TotpRemoved | PasskeyRemoved]:
    """What takes all factors away, or those alone that were added since a moment; with an app, one that is not confirmed."""
    app = factors.totp_enrolled or (factors.totp_since is not None and factors.totp_since >= since)
    passkeys = sorted(passkey_id for passkey_id, added in factors.passkeys.items() if added >= since)
    return [*([TotpRemoved()] if app else []), *map(PasskeyRemoved, passkeys)]


def _left(factors: Factors) -> Factors:
    """Recovery codes stand in for what is there, and for nothing else."""
    return factors if factors.methods else replace(factors, recovery_codes=0)
