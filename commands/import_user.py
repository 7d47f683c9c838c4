"""Bringing in someone who was a user elsewhere, as they were known there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import Struct

from commands.addresses import EMAIL_SCOPE, Address, address, claim_key
from commands.as_imported import AsImported
from commands.display_names import display_name
from commands.errors import AddressNotProved, AddressTaken, IdTaken, InvalidId, InvalidRegistrationTime, NoSuchRole
from commands.external_ids import EXTERNAL_SCOPE, external_id, external_key
from commands.import_differences import differing
from commands.locales import locale
from commands.metadata import replaced
from commands.password_hashes import password_hash
from commands.pictures import picture_url
from commands.register_user import supersede, take_address
from commands.roles import ADMINISTRATOR, ROLES
from commands.secrets import PASSWORD
from commands.time_zones import time_zone
from commands.unit import Unit
from commands.user import NOBODY, User
from events.administrators import AdministratorAdded
from events.user import RoleGranted, UserEvent, UserImported, UserSuspended

__all__ = ["ImportUser", "Imported", "registration_time", "role", "user_id"]

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Imported(Struct, frozen=True):
    """What became of someone who was to be brought in. Who `differs` is here already, and is not as these fields say."""

    user_id: UUID
    outcome: Literal["imported", "unchanged", "differs"]
    differs: tuple[str, ...] = ()


def user_id(given: UUID) -> UUID:
    """An id that a new user may have. Raises `InvalidId`: those of other versions are made of names, and so foreseen."""
    if given.version not in (4, 7):
        raise InvalidId
    return given


def registration_time(at: datetime, now: datetime) -> datetime:
    """When somebody may have registered, in UTC. Raises `InvalidRegistrationTime`."""
    if not EARLIEST <= at <= now:
        raise InvalidRegistrationTime
    return at.astimezone(UTC)


def role(name: str) -> str:
    """A role that there is. Raises `NoSuchRole`."""
    if name not in ROLES:
        raise NoSuchRole
    return name


class ImportUser(Struct, frozen=True, kw_only=True):
    """Be known here as elsewhere: with the same address, proved or not, the same profile, roles, ids and password.

    Somebody is known again by the id from elsewhere, else by the id here, else, of those who were imported with neither, by
    the address. Nothing about them changes then; what is told otherwise than when they came, and than it is now, is named.
    """

    email: str
    email_verified: bool = False
    external_id: str | None = None
    id: UUID | None = None
    display_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    picture_url: str | None = None
    own: Mapping[str, Any] | None = None
    admin: Mapping[str, Any] | None = None
    roles: tuple[str, ...] = ()
    suspended: bool = False
    registered_at: datetime | None = None
    password_hash: str | None = None

    def told(self, email: Address, now: datetime) -> UserImported:
        """What is told of the user, by the rules of each field. Raises the refusal of the first that is not so."""
        return UserImported(
            email.written,
            self.email_verified,
            display_name(self.display_name),
            None if self.locale is None else locale(self.locale),
            None if self.time_zone is None else time_zone(self.time_zone),
            None if self.picture_url is None else picture_url(self.picture_url),
            replaced({}, self.own or {}),
            replaced({}, self.admin or {}),
            None if self.external_id is None else external_id(self.external_id),
            None if self.registered_at is None else registration_time(self.registered_at, now),
        )

    def decide(self, owner: User, told: UserImported) -> list[UserEvent]:
        """What happens to the new account, given who has the address.

        Whoever proved it keeps it; who only registered it gives way to one that is proved, as to any later registration.
        """
        if owner.proved or (owner.active and (owner.imported is not None or not self.email_verified)):
            raise AddressTaken
        granted = [RoleGranted(name) for name in sorted(set(self.roles))]
        return [told, *granted, *([UserSuspended()] if self.suspended else [])]

    def differing(self, user: User, told: UserImported) -> tuple[str, ...]:
        """The fields that are told otherwise than when the user came, and than they are now."""
        return differing(user, AsImported(told, EARLIEST, frozenset(self.roles), self.suspended), self.id)

    async def perform(self, unit: Unit) -> Imported:
        """Find whether they are here; if not, claim the address and the id from elsewhere, and keep the password's hash."""
        email = address(self.email)
        told = self.told(email, unit.now)
        hashed = None if self.password_hash is None else password_hash(self.password_hash)
        for name in self.roles:
            role(name)
        if self.id is not None:
            user_id(self.id)
        if ADMINISTRATOR in self.roles and not self.email_verified:
            raise AddressNotProved
        claims_key = unit.rules.claims_key
        key = None if told.external_id is None else external_key(claims_key, str(told.external_id))
        holder_id = None if key is None else await unit.owner(EXTERNAL_SCOPE, key)
        if (known := await self._by_ids(unit, holder_id)) is not None:
            return self._unless_differing(known, told)
        owner_id = await unit.owner(EMAIL_SCOPE, claim_key(claims_key, email.canonical))
        owner = await unit.user(owner_id) if owner_id else NOBODY
        if self.id is None and self.external_id is None and owner.active and owner.imported:
            known_by_address = self._unless_differing(owner, told)
            if not known_by_address.differs:
                return known_by_address

        events = self.decide(owner, told)
        new_id = unit.new_id() if self.id is None else self.id
        await take_address(unit, new_id, email, owner_id, proven=self.email_verified)
        unit.record_user(new_id, *events)
        if key is not None:
            unit.claim(EXTERNAL_SCOPE, key, expected=holder_id, owner=new_id, proven=True)
        if hashed is not None:
            await unit.keep_secret(new_id, PASSWORD, new_id, hashed.encode())
        if owner_id:
            await supersede(unit, owner_id, owner, new_id)
        if ADMINISTRATOR in self.roles and not self.suspended:
            await unit.administrators()
            unit.record_administrators(new_id, AdministratorAdded(new_id))
        return Imported(new_id, "imported")

    async def _by_ids(self, unit: Unit, holder_id: UUID | None) -> User | None:
        """Whoever has one of the ids, and is here; an id from elsewhere of who is gone may be had again. Raises `IdTaken`."""
        if holder_id is not None and (holder := await unit.user(holder_id)).active:
            return holder
        if self.id is None:
            return None
        user = await unit.user(self.id)
        if unit.expected[self.id] and not user.active:
            raise IdTaken
        return user if user.active else None

    def _unless_differing(self, user: User, told: UserImported) -> Imported:
        assert user.id is not None, "who is here has an id"
        differing = self.differing(user, told)
        return Imported(user.id, "differs" if differing else "unchanged", differing)
