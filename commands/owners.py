"""Whose an address is, found so that it takes as long when it is nobody's."""

from uuid import UUID

from commands.addresses import EMAIL_SCOPE, any_key
from commands.unit import Unit
from commands.user import NOBODY, User
from events.personal import Forgotten

__all__ = ["owner_of"]


async def owner_of(unit: Unit, key: bytes) -> tuple[UUID, User]:
    """The user who has the address of this key; an id that leads nowhere, and nobody, where it is no one's.

    A former address that a change can still give back is kept from others, and is no one's either.
    """
    user_id = await unit.owner(EMAIL_SCOPE, key) or unit.new_id()
    user = await unit.user(user_id)
    return (user_id, user) if _has(user, key, unit.rules.claims_key) else (unit.new_id(), NOBODY)


def _has(user: User, key: bytes, claims_key: bytes) -> bool:
    if not user.former or isinstance(user.email, Forgotten):
        return True
    return any_key(claims_key, user.email) == key
