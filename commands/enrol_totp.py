"""Having an authenticator app as a second factor: a secret is shared with it, and a first code confirms that it is there."""

from urllib.parse import urlsplit
from uuid import UUID

from msgspec import Struct

from commands.errors import FactorThere, NoSuchUser, NotEnrolled, WrongSecondFactor
from commands.factors import TOTP
from commands.issue_recovery_codes import Issued, keep_recovery_codes
from commands.recovery_codes import COUNT
from commands.step_up import note_step_up
from commands.totp import KIND, AppSecret, otpauth_uri
from commands.unit import Unit
from commands.user import User
from events.user import RecoveryCodesIssued, TotpConfirmed, TotpEnrolled, UserEvent

__all__ = ["ConfirmTotp", "EnrolTotp", "Enrolled"]


class Enrolled(Struct, frozen=True):
    """The secret in base32, and the same as a URI that apps read."""

    secret: str
    uri: str


class EnrolTotp(Struct, frozen=True):
    """Be shown a secret for an authenticator app, once. Asked again before it is confirmed, it is another one."""

    user_id: UUID

    def decide(self, user: User) -> list[UserEvent]:
        """A secret is made, unless the codes of an app count already."""
        if not user.may_sign_in:
            raise NoSuchUser
        if user.factors.totp:
            raise FactorThere
        return [TotpEnrolled()]

    async def perform(self, unit: Unit) -> Enrolled:
        """Decide, and keep the new secret in the place of one that was never confirmed."""
        user = await unit.user(self.user_id)
        unit.record_user(self.user_id, *self.decide(user))
        assert isinstance(user.email, str), "an account that is active has not been forgotten"
        made, before = AppSecret.made(), await unit.secret(self.user_id, KIND)
        await unit.keep_secret(self.user_id, KIND, self.user_id, made.to_bytes(), before.revision if before else 0)
        issuer = urlsplit(unit.rules.base_url).hostname or unit.rules.base_url
        return Enrolled(made.text, otpauth_uri(made, issuer, user.email))


class ConfirmTotp(Struct, frozen=True):
    """Show by a first code that the app has the secret: from now on its codes are asked for beside the password.

    The session in which that is shown has been stepped up by it.
    """

    user_id: UUID
    code: str
    session_id: UUID | None = None

    def decide(self, user: User, *, right: bool) -> list[UserEvent]:
        """The app is a second factor, and there are recovery codes for the day on which it is lost."""
        if not user.may_sign_in:
            raise NoSuchUser
        if user.factors.totp:
            raise FactorThere
        if not user.factors.totp_enrolled:
            raise NotEnrolled
        if not right:
            raise WrongSecondFactor
        return [TotpConfirmed(), RecoveryCodesIssued(COUNT)]

    async def perform(self, unit: Unit) -> Issued:
        """Take the code, which is not taken again at the next sign-in, and keep the hashes of new recovery codes."""
        user = await unit.user(self.user_id)
        secret = await unit.secret(self.user_id, KIND)
        taken = AppSecret.from_bytes(secret.plain).taken(self.code, unit.now) if secret else None
        unit.record_user(self.user_id, *self.decide(user, right=taken is not None))
        assert secret is not None
        assert taken is not None
        await unit.keep_secret(self.user_id, KIND, self.user_id, taken.to_bytes(), secret.revision)
        if self.session_id is not None:
            await note_step_up(unit, self.session_id, user, TOTP)
        return await keep_recovery_codes(unit, self.user_id)
