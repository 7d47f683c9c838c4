"""Accepting an invitation: an account whose address is proved by the link that was mailed to it."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, address, claim_key
from commands.display_names import display_name
from commands.errors import AddressTaken, InvalidLink, InvitationOver
from commands.invitation import Invitation
from commands.invite_user import end_invitation
from commands.links import ACCEPT_INVITATION, read_link
from commands.passwords import acceptable
from commands.register_user import Registered, supersede, take_address
from commands.roles import ADMINISTRATOR, ROLES, permissions
from commands.secrets import PASSWORD
from commands.unit import Unit
from commands.user import NOBODY, User
from events.administrators import AdministratorAdded
from events.invitation import InvitationAccepted
from events.user import EmailVerified, RoleGranted, UserEvent, UserRegistered

__all__ = ["AcceptInvitation"]


class AcceptInvitation(Struct, frozen=True):
    """Become a user with the link that was mailed, and have the roles that came with it.

    Whoever sent the invitation answers for it: it opens nothing any more once they may not invite.
    """

    token: str
    password: str
    display_name: str | None = None

    def decide(self, invitation: Invitation, inviter: User | None, owner: User, now: datetime) -> list[UserEvent]:
        """There is a user, whose address is proved. An inviter of None is the operator."""
        if not invitation.open or invitation.expired(now) or not isinstance(invitation.email, str):
            raise InvitationOver
        if inviter is not None and not (
            inviter.active and not inviter.suspended and "users:write" in permissions(inviter.roles)
        ):
            raise InvitationOver
        if owner.proved:
            raise AddressTaken
        name = invitation.display_name if self.display_name is None else display_name(self.display_name)
        roles = [RoleGranted(role) for role in invitation.roles if role in ROLES]
        return [UserRegistered(invitation.email, name, invitation.locale), EmailVerified(), *roles]

    async def perform(self, unit: Unit) -> Registered:
        """Register, prove the address, grant the roles and end the invitation, all or nothing."""
        link = read_link(unit.rules.links_key, ACCEPT_INVITATION, self.token, unit.now)
        invitation = await unit.invitation(link.stream_id)
        if invitation.version == 0:
            raise InvalidLink
        if not isinstance(invitation.email, str):
            raise InvitationOver
        inviter = await unit.user(invitation.by) if invitation.by is not None else None
        email = address(invitation.email)
        owner_id = await unit.owner(EMAIL_SCOPE, claim_key(unit.rules.claims_key, email.canonical))
        owner = await unit.user(owner_id) if owner_id else NOBODY
        events = self.decide(invitation, inviter, owner, unit.now)
        password = acceptable(self.password, email=email.written)
        hashed = await unit.once("hash", lambda: unit.hasher.hash(password))

        user_id = unit.new_id()
        await take_address(unit, user_id, email, owner_id, proven=True)
        unit.record_user(user_id, *events)
        if RoleGranted(ADMINISTRATOR) in events:
            await unit.administrators()
            unit.record_administrators(user_id, AdministratorAdded(user_id))
        if owner_id:
            await supersede(unit, owner_id, owner, user_id)
        await unit.keep_secret(user_id, PASSWORD, user_id, hashed.encode())
        await self._end(unit, link.stream_id, user_id)
        return Registered(user_id)

    async def _end(self, unit: Unit, invitation_id: UUID, user_id: UUID) -> None:
        unit.record_invitation(invitation_id, InvitationAccepted(user_id))
        await end_invitation(unit, invitation_id)
