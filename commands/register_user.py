"""Registering: an account with an address that is not proved yet."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, Struct

from commands.addresses import EMAIL_SCOPE, Address, address, claim_key
from commands.display_names import display_name
from commands.errors import AddressTaken
from commands.locales import locale
from commands.passwords import acceptable
from commands.secrets import PASSWORD, Secret
from commands.unit import Unit
from commands.user import Mail, User
from events.user import AddressRegisteredAgain, RegistrationSuperseded, UserEvent, UserRegistered

__all__ = ["RegisterUser", "Registered", "supersede", "take_address"]


class Registered(Struct, frozen=True):
    """The id of the new account, or one that leads nowhere when the address was somebody's already."""

    user_id: UUID


class RegisterUser(Struct, frozen=True):
    """Become a user, with an address to be proved by a link that is mailed to it.

    With `disclose`, for askers who may know, a taken address is refused; without, nobody learns that it is: its owner is
    told by mail, and the id in the answer leads nowhere. A registration that was never proved is superseded by the next.
    """

    email: str
    password: str
    display_name: str | None = None
    locale: str | None = None
    disclose: bool = False

    def decide(self, owner: User, registration: UserRegistered) -> list[UserEvent]:
        """What happens to the new account: it is registered, unless its address is proved to be another's."""
        if not owner.proved:
            return [registration]
        if self.disclose:
            raise AddressTaken
        return []

    def decide_owner(self, owner: User, new_id: UUID, now: datetime) -> list[UserEvent]:
        """What happens to whoever holds the address: superseded when it was never proved, else told, within limits."""
        if owner.proved:
            return [AddressRegisteredAgain()] if owner.may_be_mailed(Mail.REGISTERED_AGAIN, now) else []
        return [RegistrationSuperseded(new_id)] if owner.active else []

    async def perform(self, unit: Unit) -> Registered:
        """Claim the address, or find whose it is. The password is hashed either way, so that both take as long."""
        email = address(self.email)
        password = acceptable(self.password, email=email.written)
        named, speaks = display_name(self.display_name), None if self.locale is None else locale(self.locale)
        hashed = await unit.once("hash", lambda: unit.hasher.hash(password))

        owner_id = await unit.owner(EMAIL_SCOPE, claim_key(unit.rules.claims_key, email.canonical))
        asked_id = owner_id or unit.new_id()  # somebody is asked about in any case, so that it takes as long
        owner, secret = await unit.user(asked_id), await unit.secret(asked_id, PASSWORD)
        user_id = unit.new_id()
        mailed = owner.mailed_lately(unit.now) or UNSET
        events = self.decide(owner, UserRegistered(email.written, named, speaks, mailed))
        if events:
            await take_address(unit, user_id, email, owner_id, proven=False)
            unit.record_user(user_id, *events)
            await unit.keep_secret(user_id, PASSWORD, user_id, hashed.encode())
        if owner_id:
            unit.record_user(owner_id, *self.decide_owner(owner, user_id, unit.now))
            drop_password(unit, owner, secret)
        unit.pretend()
        return Registered(user_id)


async def take_address(unit: Unit, user_id: UUID, email: Address, owner_id: UUID | None, *, proven: bool) -> None:
    """Begin a new subject whose address it is from now on."""
    unit.expected.setdefault(user_id, 0)
    unit.begin_subject(user_id)
    key = claim_key(unit.rules.claims_key, email.canonical)
    unit.claim(EMAIL_SCOPE, key, expected=owner_id, owner=user_id, proven=proven)


def drop_password(unit: Unit, owner: User, secret: Secret | None) -> None:
    """Whoever never proved the address loses the password with it."""
    if owner.active and not owner.proved and secret is not None:
        unit.drop_secret(secret)


async def supersede(unit: Unit, owner_id: UUID, owner: User, by: UUID) -> None:
    """End a registration whose address somebody else has proved."""
    if owner.active:
        unit.record_user(owner_id, RegistrationSuperseded(by))
    drop_password(unit, owner, await unit.secret(owner_id, PASSWORD))
