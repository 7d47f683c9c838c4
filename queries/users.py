"""Questions about users, answered from the `users` view on a role that can only read."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from sqlalchemy import Integer, Select, Uuid, column, exists, func, select, table, true

from events.connections import Reading
from projections.database import Statement, given
from projections.parking import ViewParked
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

    `position` is reflected by the whole page: the least that any partition of the view has reached. `left_out` are the
    users who are on no page, because the view does not know how they are now.
    """

    items: list[UserView]
    next: UUID | None
    position: int
    left_out: int = 0


_users: Final = USERS.table.columns
_shown: Final = [_users[name] for name in UserView.__struct_fields__]
_checkpoints: Final = table(
    "checkpoints", column("consumer"), column("partition"), column("partitions"), column("position"), column("parked")
)
_parked_events: Final = table("parked_events", column("consumer"), column("key"))
_parked: Final = _parked_events.columns


def _one(*more: Any) -> Select[Any]:
    """The row and the checkpoint of its partition, of one moment; a row of nulls where there is no such user."""
    user_id = given("user_id", Uuid)
    stands = _checkpoints.columns
    partition = func.get_byte(func.uuid_send(user_id), 15).op("%")(stands.partitions)
    return (
        select(stands.position.label("reached"), stands.parked, *more, *_shown)
        .select_from(_checkpoints.outerjoin(USERS.table, _users.id == user_id))
        .where(stands.consumer == VIEW, stands.partition == partition)
    )


def _page(*conditions: Any) -> Select[Any]:
    """A page and the view's least checkpoint, of one moment; a row of nulls where the page is empty."""
    stands = _checkpoints.columns
    reached = (
        select(func.min(stands.position).label("reached"), func.sum(stands.parked).label("parked"))
        .where(stands.consumer == VIEW)
        .subquery()
    )
    rows = select(*_shown).where(*conditions).order_by(_users.id.desc()).limit(given("limit", Integer)).subquery()
    return select(reached, rows).select_from(reached.outerjoin(rows, true())).order_by(rows.columns.id.desc())


def _is_parked(user_id: Any) -> Any:
    return exists().where(_parked.consumer == VIEW, _parked.key == user_id)


# Those that look at what is parked are asked where something is, which is hardly ever.
_beyond: Final = _users.id < given("after", Uuid)
_by_id: Final = Statement(_one())
_by_id_unless_parked: Final = Statement(_one(_is_parked(given("user_id", Uuid)).label("is_parked")))
_first_page: Final = Statement(_page())
_next_page: Final = Statement(_page(_beyond))
_first_page_without_parked: Final = Statement(_page(~_is_parked(_users.id)))
_next_page_without_parked: Final = Statement(_page(_beyond, ~_is_parked(_users.id)))
_left_out: Final = Statement(
    select(func.count(func.distinct(_parked.key))).select_from(_parked_events).where(_parked.consumer == VIEW)
)


async def user_by_id(pool: Reading, user_id: UUID) -> tuple[UserView | None, int]:
    """A user, if the view has one of this id, and the position that the answer reflects. Raises `ViewParked`."""
    try:
        row = await _by_id.fetchrow(pool, user_id=user_id)
        if row is not None and row["parked"]:
            row = await _by_id_unless_parked.fetchrow(pool, user_id=user_id)
            if row is not None and row["is_parked"]:
                raise ViewParked
    except asyncpg.UndefinedTableError:  # no worker has made the view yet
        return None, 0
    if row is None:
        return None, 0
    return (None if row["id"] is None else _view(row)), row["reached"]


async def users(pool: Reading, *, after: UUID | None = None, limit: int = 50) -> UserPage:
    """Users by the age of their registration, the newest first: those after a `next`, at most `limit` (and 200)."""
    limit = max(1, min(limit, MOST_USERS))
    place = {} if after is None else {"after": after}
    left_out = 0
    try:
        rows = await (_next_page if place else _first_page).fetch(pool, limit=limit + 1, **place)
        if rows[0]["parked"]:
            statement = _next_page_without_parked if place else _first_page_without_parked
            rows = await statement.fetch(pool, limit=limit + 1, **place)
            ((left_out,),) = await _left_out.fetch(pool)
    except asyncpg.UndefinedTableError:  # no worker has made the view yet
        return UserPage([], None, 0)
    items = [_view(row) for row in rows[:limit] if row["id"] is not None]
    following = items[-1].id if len(rows) > limit else None
    return UserPage(items, following, rows[0]["reached"] or 0, left_out)


def _view(row: asyncpg.Record) -> UserView:
    values = {name: row[name] for name in UserView.__struct_fields__}
    return UserView(**values | {"metadata": msgspec.json.decode(values["metadata"])})
