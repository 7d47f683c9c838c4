"""The first administrator: no default credentials, but one link that is shown to the operator and works once."""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, address, claim_key
from commands.administrators import Administrators
from commands.display_names import display_name
from commands.errors import AddressTaken, InvalidLink, LinkSpent
from commands.links import FIRST_ADMINISTRATOR, link_token, read_link
from commands.passwords import acceptable
from commands.register_user import Registered, supersede, take_address
from commands.roles import ADMINISTRATOR
from commands.secrets import PASSWORD
from commands.unit import Unit
from commands.user import NOBODY
from events.administrators import STREAM_ID, AdministratorAdded, AdministratorsEvent, FirstAdministratorInvited
from events.user import EmailVerified, RoleGranted, UserRegistered

__all__ = ["InviteFirstAdministrator", "SignUpFirstAdministrator"]

NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The link is good until it is used: whoever can read it runs the place."""


class InviteFirstAdministrator(Struct, frozen=True):
    """Have a link with which the first administrator signs up; the same one until it was used, then none."""

    def decide(self, administrators: Administrators) -> list[AdministratorsEvent]:
        """The invitation is recorded once."""
        return [] if administrators.version else [FirstAdministratorInvited()]

    async def perform(self, unit: Unit) -> str | None:
        """The link's token, or None when there is an administrator."""
        administrators = await unit.administrators()
        unit.record_administrators(None, *self.decide(administrators))
        if administrators.ids:
            return None
        version = administrators.invited_version or 1
        return link_token(unit.rules.links_key, FIRST_ADMINISTRATOR, STREAM_ID, version, NEVER)


class SignUpFirstAdministrator(Struct, frozen=True):
    """Become the first administrator, with the link that the operator was shown.

    The operator's word stands for the address: there may be no mail server yet.
    """

    token: str
    email: str
    password: str
    display_name: str | None = None

    def decide(self, administrators: Administrators, answered_version: int) -> None:
        """Exactly one is the first. Raises `LinkSpent` for everyone after."""
        if administrators.ids or answered_version != administrators.invited_version:
            raise LinkSpent

    async def perform(self, unit: Unit) -> Registered:
        """Register, prove the address, grant the role and add the administrator, all or nothing."""
        link = read_link(unit.rules.links_key, FIRST_ADMINISTRATOR, self.token, unit.now)
        if link.stream_id != STREAM_ID:
            raise InvalidLink
        self.decide(await unit.administrators(), link.version)
        email = address(self.email)
        password = acceptable(self.password, email=email.written)
        name = display_name(self.display_name)
        hashed = await unit.once("hash", lambda: unit.hasher.hash(password))

        owner_id = await unit.owner(EMAIL_SCOPE, claim_key(unit.rules.claims_key, email.canonical))
        owner = await unit.user(owner_id) if owner_id else NOBODY
        if owner.proved:
            raise AddressTaken
        user_id = unit.new_id()
        await take_address(unit, user_id, email, owner_id, proven=True)
        unit.record_user(
            user_id, UserRegistered(email.written, name, None), EmailVerified(), RoleGranted(ADMINISTRATOR)
        )
        unit.record_administrators(user_id, AdministratorAdded(user_id))
        if owner_id:
            await supersede(unit, owner_id, owner, user_id)
        await unit.keep_secret(user_id, PASSWORD, user_id, hashed.encode())
        return Registered(user_id)
