"""Having recovery codes: for the day on which the second factor is lost."""

from uuid import UUID

from msgspec import Struct

from commands.errors import NoSecondFactor, NoSuchUser
from commands.recovery_codes import COUNT, KIND, RecoveryCodes
from commands.unit import Unit
from commands.user import User
from events.user import RecoveryCodesIssued, UserEvent

__all__ = ["IssueRecoveryCodes", "Issued", "keep_recovery_codes"]


class Issued(Struct, frozen=True):
    """The recovery codes, which are shown this once."""

    recovery_codes: tuple[str, ...]


class IssueRecoveryCodes(Struct, frozen=True):
    """Be shown ten new recovery codes; those of before are dead."""

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """There are new ones, where there is a second factor for which they can stand in."""
        if not user.may_sign_in:
            raise NoSuchUser
        if not user.factors.methods:
            raise NoSecondFactor
        return [RecoveryCodesIssued(COUNT)]

    async def perform(self, unit: Unit) -> Issued:
        """Decide on the user's stream, and keep their hashes."""
        unit.record_user(self.user_id, *self.decide(await unit.user(self.user_id)))
        return await keep_recovery_codes(unit, self.user_id)


async def keep_recovery_codes(unit: Unit, user_id: UUID) -> Issued:
    """New ones, whose hashes are kept in the place of those before."""
    made, codes = RecoveryCodes.made()
    before = await unit.secret(user_id, KIND)
    await unit.keep_secret(user_id, KIND, user_id, made.to_bytes(), before.revision if before else 0)
    return Issued(codes)
