"""Questions about users, answered from the `users` view on a role that can only read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from sqlalchemy import ARRAY, Select, Uuid, and_, column, exists, false, func, select, table

from events.connections import Reading
from events.gathering import Gathered
from projections.database import Statement, given
from projections.parking import ViewParked
from projections.positions import Replaced
from projections.read_model import ReadModel
from projections.serving import PerTable, table_that_serves
from projections.users import USERS, UserRow

__all__ = [
    "MOST_USERS",
    "VIEW",
    "Found",
    "UserReads",
    "UserView",
    "checkpoints",
    "is_parked",
    "parked_events",
    "user_by_id",
    "view_of",
    "view_of_row",
]

VIEW: Final = USERS.view
"""The name under which the view's positions are known, whichever table serves it; it changes with the version."""

MOST_USERS: Final = 200


class UserView(Struct, frozen=True):
    """A user, as the API shows them; `version` is that of the user's stream.

    `kind` is `person` or `service`; service accounts have no address, and nobody signs in to them.

    `last_seen_at` is when they last signed in or, on a later day (UTC), first went on with a session; null for who never was.

    `erasure_due_at` is when they are erased, of who asked for that and has not withdrawn it.
    `metadata` has the user's `own` entries and, for those who may see everyone, those that administrators made (`admin`).
    """

    id: UUID
    kind: str
    email: str | None
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
    erasure_due_at: datetime | None
    version: int


checkpoints: Final = table(
    "checkpoints",
    *(column(name) for name in ("consumer", "partition", "partitions", "position", "parked", "follows")),
)
parked_events: Final = table("parked_events", column("consumer"), column("key"))


def is_parked(consumer: Any, user_id: Any) -> Any:
    """Whether something is parked of a user, in a table or (an array of them) in any."""
    parked = parked_events.columns
    return exists().where(parked.consumer == consumer, parked.key == user_id)


class _Statements:
    """What is asked of one table. What looks at what is parked is asked where something is, which is hardly ever."""

    def __init__(self, model: ReadModel[UserRow]) -> None:
        self._table = model.table
        self._consumer = model.consumer
        self.by_ids = Statement(self._each(false()))
        self.by_ids_unless_parked = Statement(self._each(is_parked(self._consumer, _asked)))

    def _each(self, parked: Any) -> Select[Any]:
        """The row of each of some ids and the checkpoint of its partition, of one moment; nulls where there is no such user."""
        users, stands = self._table.columns, checkpoints.columns
        partition = func.get_byte(func.uuid_send(_asked), 15).op("%")(stands.partitions)
        shown = [users[name] for name in UserView.__struct_fields__]
        return (
            select(
                *(_asked, stands.position.label("reached"), stands.parked, parked.label("is_parked")),
                *(stands.follows.is_not(None).label("replaced"), *shown),
            )
            .select_from(_ids)
            .join(checkpoints, and_(stands.consumer == self._consumer, stands.partition == partition))
            .outerjoin(self._table, users.id == _asked)
        )


_ids: Final = func.unnest(given("user_ids", ARRAY(Uuid))).table_valued(column("asked", Uuid)).render_derived(name="ids")
_asked: Final = _ids.columns.asked
_statements: Final = PerTable(USERS, _Statements)
Found: TypeAlias = tuple[UserView | None, int]
"""A user, if there is one, and the position that this reflects."""

_NOBODY: Final[Found] = None, 0


async def user_by_id(pool: Reading, user_id: UUID, *, table: str | None = None) -> Found:
    """A user, if the view has one of this id, and the position that the answer reflects.

    `table` is the one that serves; unless it is given, that is asked first. Raises `ViewParked`, `Replaced` where another
    table than the one that was given serves, and `ViewBehind` where none serves yet.
    """
    found = (await _found(pool, table or await table_that_serves(pool, USERS), [user_id]))[user_id]
    if isinstance(found, Replaced) and table is None:
        return await user_by_id(pool, user_id)
    if isinstance(found, Exception):
        raise found
    return found


class UserReads:
    """Questions for one user by id, of one process: what is asked at once is answered by one question to the database."""

    def __init__(self, pool: Reading) -> None:
        self._pool = pool
        self._asking: dict[str, Gathered[UUID, Found]] = {}

    async def user_by_id(self, user_id: UUID, table: str) -> Found:
        """As the function of this name, for the table that serves. Raises `ViewParked`, and `Replaced` where it is another."""
        asking = self._asking.get(table)
        if asking is None:
            asking = self._asking[table] = Gathered(partial(_found, self._pool, table))
        return await asking.answer(user_id)


async def _found(pool: Reading, table: str, user_ids: Sequence[UUID]) -> Mapping[UUID, Found | Exception]:
    ask = _statements[table]
    rows = await ask.by_ids.fetch(pool, user_ids=user_ids)
    if any(row["parked"] for row in rows):
        rows = await ask.by_ids_unless_parked.fetch(pool, user_ids=user_ids)
    found: dict[UUID, Found | Exception] = dict.fromkeys(user_ids, _NOBODY)
    for row in rows:
        if row["replaced"]:
            found[row["asked"]] = Replaced()
        elif row["is_parked"]:
            found[row["asked"]] = ViewParked()
        else:
            found[row["asked"]] = (None if row["id"] is None else view_of(row)), row["reached"]
    return found


_FIELDS: Final = len(UserView.__struct_fields__)
_METADATA: Final = UserView.__struct_fields__.index("metadata")


def view_of_row(row: UserRow) -> UserView:
    """The user of a row that was folded."""
    return UserView(**{name: getattr(row, name) for name in UserView.__struct_fields__})


def view_of(row: asyncpg.Record) -> UserView:
    """The user whose fields stand last in a row."""
    values = [*row[-_FIELDS:]]
    values[_METADATA] = msgspec.json.decode(values[_METADATA])
    return UserView(*values)
