"""Inviting somebody, and taking an invitation back."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, Address, address, claim_key
from commands.display_names import display_name
from commands.errors import AddressTaken, InvitationOver, NoSuchInvitation, NoSuchRole
from commands.invitation import SCOPE, Invitation
from commands.locales import locale
from commands.roles import ROLES
from commands.unit import Unit
from commands.user import NOBODY, User
from events.invitation import InvitationEvent, InvitationWithdrawn, UserInvited

__all__ = ["InviteUser", "Invited", "WithdrawInvitation", "end_invitation"]


class Invited(Struct, frozen=True):
    """The invitation, and until when it can be accepted."""

    invitation_id: UUID
    expires_at: datetime


class InviteUser(Struct, frozen=True):
    """Have a link mailed to an address, with which its owner becomes a user who has these roles.

    `by` is who answers for it, as long as they may; None is the operator.
    """

    email: str
    by: UUID | None
    roles: tuple[str, ...] = ()
    display_name: str | None = None
    locale: str | None = None
    hours: int | None = None

    def decide(self, owner: User, email: Address, now: datetime, usual_hours: int) -> list[InvitationEvent]:
        """The address is invited, unless it is proved to be somebody's: then there is nobody to invite."""
        if set(self.roles) - ROLES.keys():
            raise NoSuchRole
        if owner.proved:
            raise AddressTaken
        return [
            UserInvited(
                email.written,
                tuple(sorted(set(self.roles))),
                now + timedelta(hours=self.hours or usual_hours),
                self.by,
                display_name(self.display_name),
                None if self.locale is None else locale(self.locale),
            )
        ]

    async def perform(self, unit: Unit) -> Invited:
        """Begin a new subject, whose key is destroyed when the invitation ends; and note that it is open."""
        email = address(self.email)
        owner_id = await unit.owner(EMAIL_SCOPE, claim_key(unit.rules.claims_key, email.canonical))
        owner = await unit.user(owner_id) if owner_id else NOBODY
        (event,) = self.decide(owner, email, unit.now, unit.rules.invitation_hours)
        assert isinstance(event, UserInvited)
        invitation_id = unit.new_id()
        unit.begin_subject(invitation_id)
        unit.record_invitation(invitation_id, event)
        unit.claim(SCOPE, invitation_id.bytes, expected=None, owner=invitation_id)
        return Invited(invitation_id, event.expires_at)


class WithdrawInvitation(Struct, frozen=True):
    """Take an invitation back: its link opens nothing, and what was personal in it is forgotten."""

    invitation_id: UUID

    def decide(self, invitation: Invitation) -> list[InvitationEvent]:
        """It is over, unless it was already. Raises `InvitationOver` for one that was accepted: there is a user to suspend."""
        if invitation.version == 0:
            raise NoSuchInvitation
        if invitation.user_id is not None:
            raise InvitationOver
        return [InvitationWithdrawn()] if invitation.open else []

    async def perform(self, unit: Unit) -> None:
        """End it."""
        events = self.decide(await unit.invitation(self.invitation_id))
        unit.record_invitation(self.invitation_id, *events)
        if events:
            await end_invitation(unit, self.invitation_id)


async def end_invitation(unit: Unit, invitation_id: UUID) -> None:
    """It is open no longer, and the key is destroyed under which the address was sealed."""
    unit.claim(SCOPE, invitation_id.bytes, expected=invitation_id, owner=None)
    await unit.forget_subject(invitation_id)
