"""Questions about users, answered from the `users` view on a role that can only read."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from sqlalchemy import Integer, Select, Uuid, column, func, select, table, true

from events.connections import Reading
from projections.database import Statement, given
from projections.users import USERS

__all__ = ["MOST_USERS", "VIEW", "UserPage", "UserView", "user_by_id", "users"]

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


class UserPage(Struct, frozen=True):
    """Users, newest first; `next` is the id to go on after, None at the end.

    `position` is reflected by the whole page: the least that any partition of the view has reached.
    """

    items: list[UserView]
    next: UUID | None
    position: int


_users: Final = USERS.table.columns
_shown: Final = [_users[name] for name in UserView.__struct_fields__]
_checkpoints: Final = table(
    "checkpoints", column("consumer"), column("partition"), column("partitions"), column("position")
)


def _one() -> Select[Any]:
    """The row and the checkpoint of its partition, of one moment; a row of nulls where there is no such user."""
    user_id = given("user_id", Uuid)
    stands = _checkpoints.columns
    partition = func.get_byte(func.uuid_send(user_id), 15).op("%")(stands.partitions)
    return (
        select(stands.position.label("reached"), *_shown)
        .select_from(_checkpoints.outerjoin(USERS.table, _users.id == user_id))
        .where(stands.consumer == VIEW, stands.partition == partition)
    )


def _page(*conditions: Any) -> Select[Any]:
    """A page and the view's least checkpoint, of one moment; a row of nulls where the page is empty."""
    stands = _checkpoints.columns
    reached = select(func.min(stands.position).label("reached")).where(stands.consumer == VIEW).subquery()
    rows = select(*_shown).where(*conditions).order_by(_users.id.desc()).limit(given("limit", Integer)).subquery()
    return select(reached, rows).select_from(reached.outerjoin(rows, true())).order_by(rows.columns.id.desc())


_by_id: Final = Statement(_one())
_first_page: Final = Statement(_page())
_next_page: Final = Statement(_page(_users.id < given("after", Uuid)))


async def user_by_id(pool: Reading, user_id: UUID) -> tuple[UserView | None, int]:
    """A user, if the view has one of this id, and the position that the answer reflects."""
    try:
        row = await _by_id.fetchrow(pool, user_id=user_id)
    except asyncpg.UndefinedTableError:  # no worker has made the view yet
        return None, 0
    if row is None:
        return None, 0
    return (None if row["id"] is None else _view(row)), row["reached"]


async def users(pool: Reading, *, after: UUID | None = None, limit: int = 50) -> UserPage:
    """Users by the age of their registration, the newest first: those after a `next`, at most `limit` (and 200)."""
    limit = max(1, min(limit, MOST_USERS))
    try:
        rows = await (
            _first_page.fetch(pool, limit=limit + 1)
            if after is None
            else _next_page.fetch(pool, after=after, limit=limit + 1)
        )
    except asyncpg.UndefinedTableError:  # no worker has made the view yet
        return UserPage([], None, 0)
    items = [_view(row) for row in rows[:limit] if row["id"] is not None]
    return UserPage(items, items[-1].id if len(rows) > limit else None, rows[0]["reached"] or 0)


def _view(row: asyncpg.Record) -> UserView:
    values = dict(row)
    del values["reached"]
    return UserView(**values | {"metadata": msgspec.json.decode(values["metadata"])})
