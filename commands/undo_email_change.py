"""Taking an account back by the link that was mailed to the address that it had before."""

from datetime import timedelta
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, any_key
from commands.drop_factors import drop_factors
from commands.end_all_sessions import end_sessions
from commands.errors import InvalidLink, LinkSpent
from commands.factors import removals
from commands.links import UNDO_EMAIL_CHANGE, read_link
from commands.secrets import PASSWORD
from commands.unit import Unit
from commands.user import FormerAddress, User
from events.user import EmailChangeUndone, ErasureWithdrawn, PasskeyRemoved, TotpRemoved, UserEvent

__all__ = ["UndoEmailChange"]


class UndoEmailChange(Struct, frozen=True):
    """Have a former address again, and lose whoever took it away: every session ends, and the password is gone.

    Addresses that came after it are free again, and an erasure that was asked for is withdrawn: its mail may have gone
    to one of them. Second factors that were added since shortly before the change, as long before it as it can be undone
    after it, are gone as well, and those that are older stay: who reads the mail is not in by that alone. A new password is
    chosen by the link of a reset.
    """

    user_id: UUID
    token: str

    def decide(self, user: User, answered_version: int, hours: int) -> list[UserEvent]:
        """The account has the address again that it had before the change of this version. Raises `LinkSpent`.

        Factors that were added since so many hours before that change are removed.
        """
        former = self.former(user, answered_version)
        assert isinstance(former.email, str), "an account that is active has not been forgotten"
        withdrawn = [] if user.erasure_due_at is None else [ErasureWithdrawn()]
        added = removals(user.factors, former.changed_at - timedelta(hours=hours))
        return [EmailChangeUndone(former.email), *withdrawn, *added]

    def former(self, user: User, answered_version: int) -> FormerAddress:
        """The address before that change. Raises `LinkSpent` when it cannot be given back any more."""
        for former in user.former:
            if user.active and former.version == answered_version:
                return former
        raise LinkSpent

    async def perform(self, unit: Unit) -> None:
        """Check the link, give the address back, release those after it, drop the password and end the sessions."""
        link = read_link(unit.rules.links_key, UNDO_EMAIL_CHANGE, self.token, unit.now)
        if link.stream_id != self.user_id:
            raise InvalidLink
        user = await unit.user(self.user_id)
        events = self.decide(user, link.version, unit.rules.email_undo_hours)
        unit.record_user(self.user_id, *events)
        at = user.former.index(self.former(user, link.version))
        kept = _keys(unit, *(one.email for one in user.former[: at + 1]))
        later = _keys(unit, user.email, *(one.email for one in user.former[at + 1 :]))
        (restored,) = _keys(unit, user.former[at].email)
        unit.claim(EMAIL_SCOPE, restored, expected=self.user_id, owner=self.user_id, proven=True)
        for key in sorted(later - kept):
            unit.claim(EMAIL_SCOPE, key, expected=self.user_id, owner=None)
        if secret := await unit.secret(self.user_id, PASSWORD):
            unit.drop_secret(secret)
        removed = [event for event in events if isinstance(event, TotpRemoved | PasskeyRemoved)]
        await drop_factors(unit, self.user_id, user.factors, removed)
        await end_sessions(unit, self.user_id)


def _keys(unit: Unit, *emails: object) -> set[bytes]:
    return {any_key(unit.rules.claims_key, email) for email in emails if isinstance(email, str)}
