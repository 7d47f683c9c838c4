"""Questions about users, answered from the `users` view on a role that can only read."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from sqlalchemy import Select, Uuid, column, func, select, table

from events.connections import Reading
from projections.database import Statement, given
from projections.users import USERS

__all__ = ["MOST_USERS", "VIEW", "UserView", "checkpoints", "user_by_id", "values_of"]

VIEW: Final = USERS.consumer
"""The name under which the view's positions are known, and which changes with the version of its table."""

MOST_USERS: Final = 200


class UserView(Struct, frozen=True):
    """A user, as the API shows them; `version` is that of the user's stream.

    `last_seen_at` is when they last signed in or, on a later day (UTC), first went on with a session; null for who never was.

    `metadata` has the user's `own` entries and, for those who may see everyone, those that administrators made (`admin`).
    """

    id: UUID
    email: str
    email_verified: bool
    display_name: str | None
    locale: str | None
    time_zone: str | None
    picture_url: str | None
    roles: list[str]
    status: str
    metadata: dict[str, Any]
    registered_at: datetime
    updated_at: datetime
    last_seen_at: datetime | None
    version: int


_users: Final = USERS.table.columns
_shown: Final = [_users[name] for name in UserView.__struct_fields__]
checkpoints: Final = table(
    "checkpoints", column("consumer"), column("partition"), column("partitions"), column("position")
)


def _one() -> Select[Any]:
    """The row and the checkpoint of its partition, of one moment; a row of nulls where there is no such user."""
    user_id = given("user_id", Uuid)
    stands = checkpoints.columns
    partition = func.get_byte(func.uuid_send(user_id), 15).op("%")(stands.partitions)
    return (
        select(stands.position.label("reached"), *_shown)
        .select_from(checkpoints.outerjoin(USERS.table, _users.id == user_id))
        .where(stands.consumer == VIEW, stands.partition == partition)
    )


_by_id: Final = Statement(_one())


async def user_by_id(pool: Reading, user_id: UUID) -> tuple[UserView | None, int]:
    """A user, if the view has one of this id, and the position that the answer reflects."""
    try:
        row = await _by_id.fetchrow(pool, user_id=user_id)
    except asyncpg.UndefinedTableError:  # no worker has made the view yet
        return None, 0
    if row is None:
        return None, 0
    return (None if row["id"] is None else UserView(**values_of(row, "reached"))), row["reached"]


def values_of(row: asyncpg.Record, *beside: str) -> dict[str, Any]:
    """The fields of a view, out of a row that has more `beside` them."""
    values = {name: value for name, value in row.items() if name not in beside}
    return values | {"metadata": msgspec.json.decode(values["metadata"])}
