"""What each mail says and to whom, from the user's history at the moment of sending; and when it is of no use any more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct

from commands.links import (
    ACCEPT_INVITATION,
    RESET_PASSWORD,
    UNDO_EMAIL_CHANGE,
    UNLOCK,
    VERIFY_EMAIL,
    WITHDRAW_ERASURE,
    link_token,
)
from commands.user import Mail, User
from events.api_key import ApiKeyIssued
from events.event import Event, Recorded
from events.invitation import UserInvited
from events.user import (
    AddressRegisteredAgain,
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    ErasureRequested,
    ErasureWithdrawn,
    PasskeyAdded,
    PasskeyCountWentBack,
    PasskeyRemoved,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    RecoveryCodesIssued,
    RecoveryCodeUsed,
    SecondFactorRefused,
    TotpConfirmed,
    TotpRemoved,
    UserLocked,
    UserRegistered,
    VerificationRequested,
)

__all__ = ["MAILS", "SLOTS", "Letter", "Links", "Obsolete", "Owed"]


class Obsolete(Exception):
    """What the mail would say is true no longer, or of no use to anyone any more."""


class Owed(Struct, frozen=True):
    """What a mail answers: the event, the user before it and as they are now, and the present moment."""

    user: User
    before: User
    answered: Recorded[Event]
    now: datetime


class Letter(Struct, frozen=True):
    """To whom, about what, and the values that the template of its slot puts in."""

    to: str
    subject: str
    values: dict[str, Any] = {}


class Links(Struct, frozen=True):
    """Makes links: where they lead, the key that signs them, and how long each kind is valid."""

    base_url: str
    key: bytes
    verification_hours: int = 72
    password_reset_minutes: int = 60
    email_undo_hours: int = 72

    def to(self, page: str, purpose: str, owed: Owed, expires_at: datetime) -> dict[str, Any]:
        """A link that answers an event, its bare token and its end, as templates want them. Raises `Obsolete`."""
        if owed.now >= expires_at:
            raise Obsolete("The link has expired.")
        stream_id = owed.answered.stream_id
        token = link_token(self.key, purpose, stream_id, owed.answered.version, expires_at)
        # In the fragment, which browsers send to nobody.
        link = f"{self.base_url}/{page}#{urlencode({'user': stream_id, 'token': token})}"
        return {"link": link, "token": token, "expires_at": expires_at}


def _present(owed: Owed) -> str:
    assert isinstance(owed.user.email, str), "nothing is written to who was forgotten"
    return owed.user.email


def _not_suspended(owed: Owed) -> None:
    if owed.user.suspended:
        raise Obsolete("The account is suspended, and the link would open nothing.")


def _verification(links: Links, owed: Owed) -> Letter:
    if owed.user.email_verified:
        raise Obsolete("The address is proved.")
    _not_suspended(owed)
    if owed.answered.version != owed.user.verification_version:
        raise Obsolete("A newer link was asked for.")
    expires_at = owed.answered.recorded_at + timedelta(hours=links.verification_hours)
    values = links.to("verify-email", VERIFY_EMAIL, owed, expires_at)
    return Letter(_present(owed), "Is this your address?", values)


def _registered_again(_links: Links, owed: Owed) -> Letter:
    return Letter(_present(owed), "Someone tried to register with your address")


def _email_change(links: Links, owed: Owed) -> Letter:
    if owed.answered.version != owed.user.change_version or not isinstance(owed.user.new_email, str):
        raise Obsolete("A newer link was asked for, or the change was made or given up.")
    expires_at = owed.answered.recorded_at + timedelta(hours=links.verification_hours)
    values = links.to("verify-email", VERIFY_EMAIL, owed, expires_at)
    return Letter(owed.user.new_email, "Is this your new address?", values)


def _email_changed(links: Links, owed: Owed) -> Letter:
    former = next((one for one in owed.user.former if one.version == owed.answered.version), None)
    if former is None or not isinstance(former.email, str):
        raise Obsolete("The change can be undone no longer.")
    expires_at = former.changed_at + timedelta(hours=links.email_undo_hours)
    values = links.to("undo-email-change", UNDO_EMAIL_CHANGE, owed, expires_at)
    return Letter(former.email, "Your account has another address now", values)


def _email_change_undone(_links: Links, owed: Owed) -> Letter:
    return Letter(_present(owed), "Your account has its former address again")


def _password_reset(links: Links, owed: Owed) -> Letter:
    if owed.answered.version != owed.user.reset_version:
        raise Obsolete("A newer link was asked for, or this one was used.")
    expires_at = owed.answered.recorded_at + timedelta(minutes=links.password_reset_minutes)
    values = links.to("reset-password", RESET_PASSWORD, owed, expires_at)
    return Letter(_present(owed), "Choose a new password", values)


def _password_changed(_links: Links, owed: Owed) -> Letter:
    return Letter(_present(owed), "Your password was changed")


def _locked(links: Links, owed: Owed) -> Letter:
    if owed.answered.version != owed.user.lock_version or owed.user.locked_until is None:
        raise Obsolete("The lock was lifted.")
    _not_suspended(owed)
    values = links.to("unlock", UNLOCK, owed, owed.user.locked_until)
    return Letter(_present(owed), "Too many failed sign-ins to your account", values)


def _erasure_requested(links: Links, owed: Owed) -> Letter:
    if owed.answered.version != owed.user.erasure_version or owed.user.erasure_due_at is None:
        raise Obsolete("The erasure was withdrawn.")
    values = links.to("withdraw-erasure", WITHDRAW_ERASURE, owed, owed.user.erasure_due_at)
    return Letter(_present(owed), "Your account will be erased", values)


def _erasure_withdrawn(_links: Links, owed: Owed) -> Letter:
    return Letter(_present(owed), "Your account stays")


def _factor_added(_links: Links, owed: Owed) -> Letter:
    return Letter(_present(owed), "A second factor was added to your account")


def _factor_removed(_links: Links, owed: Owed) -> Letter:
    if isinstance(owed.answered.event, TotpRemoved) and not owed.before.factors.totp:
        raise Obsolete("It had never been confirmed, and so was none.")
    return Letter(_present(owed), "A second factor of your account was removed")


def _recovery_codes_issued(_links: Links, owed: Owed) -> Letter:
    if not owed.before.factors.recovery_codes:
        raise Obsolete("They are the first, and were told of with the factor.")
    return Letter(_present(owed), "Your account has other recovery codes now")


def _recovery_code_used(_links: Links, owed: Owed) -> Letter:
    assert isinstance(owed.answered.event, RecoveryCodeUsed)
    return Letter(_present(owed), "A recovery code of your account was used", {"left": owed.answered.event.left})


def _passkey_refused(_links: Links, owed: Owed) -> Letter:
    return Letter(_present(owed), "Somebody may have a copy of your passkey")


def _second_factor_refused(_links: Links, owed: Owed) -> Letter:
    return Letter(_present(owed), "Someone failed at your second factor")


def _api_key_issued(_links: Links, owed: Owed) -> Letter:
    assert isinstance(owed.answered.event, ApiKeyIssued)
    values = {"expires_at": owed.answered.event.expires_at}
    return Letter(_present(owed), "An API key was issued for your account", values)


def _invitation(links: Links, owed: Owed) -> Letter:
    """To an address of which there is no user."""
    invited = owed.answered.event
    assert isinstance(invited, UserInvited)
    if not isinstance(invited.email, str):
        raise Obsolete("The invitation is over.")
    values = links.to("accept-invitation", ACCEPT_INVITATION, owed, invited.expires_at)
    return Letter(invited.email, "You are invited", values)


class _Mail(Struct, frozen=True):
    """How a mail is written; `about` is what strangers can bring about, and is therefore written of only so often."""

    write: Callable[[Links, Owed], Letter]
    about: str | None = None


MAILS: Final[dict[str, _Mail]] = {
    "verification": _Mail(_verification, Mail.VERIFICATION),
    "registered-again": _Mail(_registered_again, Mail.REGISTERED_AGAIN),
    "email-change": _Mail(_email_change, Mail.EMAIL_CHANGE),
    "email-changed": _Mail(_email_changed),
    "email-change-undone": _Mail(_email_change_undone),
    "password-reset": _Mail(_password_reset, Mail.PASSWORD_RESET),
    "password-changed": _Mail(_password_changed),
    "locked": _Mail(_locked, Mail.LOCK),
    "erasure-requested": _Mail(_erasure_requested),
    "erasure-withdrawn": _Mail(_erasure_withdrawn),
    "factor-added": _Mail(_factor_added),
    "factor-removed": _Mail(_factor_removed),
    "recovery-codes-issued": _Mail(_recovery_codes_issued),
    "recovery-code-used": _Mail(_recovery_code_used),
    "passkey-refused": _Mail(_passkey_refused),
    "second-factor-refused": _Mail(_second_factor_refused, Mail.SECOND_FACTOR),
    "api-key-issued": _Mail(_api_key_issued),
    "invitation": _Mail(_invitation),
}
"""Each kind of mail, by the slot of its deliveries, which is also the name of its templates."""

SLOTS: Final[dict[type[Event], str]] = {
    UserRegistered: "verification",
    VerificationRequested: "verification",
    AddressRegisteredAgain: "registered-again",
    EmailChangeRequested: "email-change",
    EmailChanged: "email-changed",
    EmailChangeUndone: "email-change-undone",
    PasswordResetRequested: "password-reset",
    PasswordChanged: "password-changed",
    PasswordReset: "password-changed",
    UserLocked: "locked",
    ErasureRequested: "erasure-requested",
    ErasureWithdrawn: "erasure-withdrawn",
    TotpConfirmed: "factor-added",
    PasskeyAdded: "factor-added",
    TotpRemoved: "factor-removed",
    PasskeyRemoved: "factor-removed",
    PasskeyCountWentBack: "passkey-refused",
    RecoveryCodesIssued: "recovery-codes-issued",
    RecoveryCodeUsed: "recovery-code-used",
    SecondFactorRefused: "second-factor-refused",
    ApiKeyIssued: "api-key-issued",
    UserInvited: "invitation",
}
