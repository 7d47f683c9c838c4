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
from projections.positions import ViewBehind
from projections.read_model import ReadModel
from projections.serving import PerTable, serving_table
from projections.users import USERS, UserRow

__all__ = ["MOST_USERS", "VIEW", "UserPage", "UserView", "user_by_id", "users"]

VIEW: Final = USERS.view
"""The name under which the view's positions are known, whichever table serves it; it changes with the version."""

MOST_USERS: Final = 200


class UserView(Struct, frozen=True):
    """A user, as the API shows them; `version` is that of the user's stream.

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


_checkpoints: Final = table(
    "checkpoints", column("consumer"), column("partition"), column("partitions"), column("position"), column("parked")
)
_parked_events: Final = table("parked_events", column("consumer"), column("key"))
_parked: Final = _parked_events.columns


class _Statements:
    """What is asked of one table. Those that look at what is parked are asked where something is, which is hardly ever."""

    def __init__(self, model: ReadModel[UserRow]) -> None:
        self._table = model.table
        self._consumer = model.consumer
        users = self._users = model.table.columns
        self._shown = [users[name] for name in UserView.__struct_fields__]
        beyond = users.id < given("after", Uuid)
        self.by_id = Statement(self._one())
        self.by_id_unless_parked = Statement(self._one(self._is_parked(given("user_id", Uuid)).label("is_parked")))
        self.first_page = Statement(self._page())
        self.next_page = Statement(self._page(beyond))
        self.first_page_without_parked = Statement(self._page(~self._is_parked(users.id)))
        self.next_page_without_parked = Statement(self._page(beyond, ~self._is_parked(users.id)))
        self.left_out = Statement(
            select(func.count(func.distinct(_parked.key)))
            .select_from(_parked_events)
            .where(_parked.consumer == self._consumer)
        )

    def _one(self, *more: Any) -> Select[Any]:
        """The row and the checkpoint of its partition, of one moment; a row of nulls where there is no such user."""
        user_id = given("user_id", Uuid)
        stands = _checkpoints.columns
        partition = func.get_byte(func.uuid_send(user_id), 15).op("%")(stands.partitions)
        return (
            select(stands.position.label("reached"), stands.parked, *more, *self._shown)
            .select_from(_checkpoints.outerjoin(self._table, self._users.id == user_id))
            .where(stands.consumer == self._consumer, stands.partition == partition)
        )

    def _page(self, *conditions: Any) -> Select[Any]:
        """A page and the table's least checkpoint, of one moment; a row of nulls where the page is empty."""
        stands = _checkpoints.columns
        reached = (
            select(func.min(stands.position).label("reached"), func.sum(stands.parked).label("parked"))
            .where(stands.consumer == self._consumer)
            .subquery()
        )
        newest = self._users.id.desc()
        rows = select(*self._shown).where(*conditions).order_by(newest).limit(given("limit", Integer)).subquery()
        return select(reached, rows).select_from(reached.outerjoin(rows, true())).order_by(rows.columns.id.desc())

    def _is_parked(self, user_id: Any) -> Any:
        return exists().where(_parked.consumer == self._consumer, _parked.key == user_id)


_statements: Final = PerTable(USERS, _Statements)


async def _of(pool: Reading, table: str | None) -> _Statements:
    """The statements of a table, or of the one that serves now. Raises `ViewBehind` when none does yet."""
    if table is None:
        table = await serving_table(pool, USERS)
        if table is None:
            raise ViewBehind.being_built()
    return _statements[table]


async def user_by_id(pool: Reading, user_id: UUID, *, table: str | None = None) -> tuple[UserView | None, int]:
    """A user, if the view has one of this id, and the position that the answer reflects.

    `table` is the one that serves; unless it is given, that is asked first. Raises `ViewParked`, and `ViewBehind` where
    none serves yet.
    """
    ask = await _of(pool, table)
    row = await ask.by_id.fetchrow(pool, user_id=user_id)
    if row is not None and row["parked"]:
        row = await ask.by_id_unless_parked.fetchrow(pool, user_id=user_id)
        if row is not None and row["is_parked"]:
            raise ViewParked
    if row is None:
        return None, 0
    return (None if row["id"] is None else _view(row)), row["reached"]


async def users(pool: Reading, *, after: UUID | None = None, limit: int = 50, table: str | None = None) -> UserPage:
    """Users by the age of their registration, the newest first: those after a `next`, at most `limit` (and 200).

    `table` as for `user_by_id`. Raises `ViewBehind` where none serves yet.
    """
    limit = max(1, min(limit, MOST_USERS))
    place = {} if after is None else {"after": after}
    left_out = 0
    ask = await _of(pool, table)
    rows = await (ask.next_page if place else ask.first_page).fetch(pool, limit=limit + 1, **place)
    if rows[0]["parked"]:
        statement = ask.next_page_without_parked if place else ask.first_page_without_parked
        rows = await statement.fetch(pool, limit=limit + 1, **place)
        ((left_out,),) = await ask.left_out.fetch(pool)
    items = [_view(row) for row in rows[:limit] if row["id"] is not None]
    following = items[-1].id if len(rows) > limit else None
    return UserPage(items, following, rows[0]["reached"] or 0, left_out)


def _view(row: asyncpg.Record) -> UserView:
    values = {name: row[name] for name in UserView.__struct_fields__}
    return UserView(**values | {"metadata": msgspec.json.decode(values["metadata"])})
