"""Whose an address is."""

from uuid import UUID

from commands.addresses import EMAIL_SCOPE, any_key
from commands.unit import Unit
from commands.user import NOBODY, User, fold
from events.connections import Reading
from events.data_keys import DataKeys
from events.personal import Forgotten
from events.store import read_stream

__all__ = ["owner_by_address", "owner_of"]


async def owner_of(unit: Unit, key: bytes) -> tuple[UUID, User]:
    """The user who has the address of this key; an id that leads nowhere, and nobody, where it is no one's.

    A former address that a change can still give back is kept from others, and is no one's either. It takes as long
    when it is nobody's.
    """
    user_id = await unit.owner(EMAIL_SCOPE, key) or unit.new_id()
    user = await unit.user(user_id)
    return (user_id, user) if _has(user, key, unit.rules.claims_key) else (unit.new_id(), NOBODY)


async def owner_by_address(reading: Reading, keys: DataKeys, claims_key: bytes, email: str) -> UUID | None:
    """The user who has an address, for those who may know at once that it is nobody's. Needs the writer's rights."""
    key = any_key(claims_key, email)
    user_id: UUID | None = await reading.fetchval(
        "SELECT owner_id FROM claims WHERE scope = $1 AND key = $2", EMAIL_SCOPE, key
    )
    if user_id is None:
        return None
    return user_id if _has(fold(await read_stream(reading, keys, user_id)), key, claims_key) else None


def _has(user: User, key: bytes, claims_key: bytes) -> bool:
    if not user.former or isinstance(user.email, Forgotten):
        return True
    return any_key(claims_key, user.email) == key
