"""Everything that a view holds at one moment, row by row, and the position that it reflects."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Literal

import asyncpg
from msgspec import Struct
from sqlalchemy import ARRAY, JSON, BigInteger, Boolean, Date, DateTime, Integer, Select, String, Uuid, func, select
from sqlalchemy.types import TypeEngine

from events.connections import Reading
from projections.database import Statement
from projections.models import BY_NAME
from projections.personal_columns import PERSONAL_COLUMNS
from projections.read_model import ReadModel
from projections.serving import serving_table, table_that_serves
from queries.users import is_parked, parked_events

__all__ = [
    "DELIVERIES",
    "LOG",
    "ROWS_AT_ONCE",
    "Export",
    "Field",
    "Kind",
    "NotYet",
    "exported_view",
    "exports",
    "in_batches",
    "kind_of",
    "view_position",
]

LOG: Final = "log"
DELIVERIES: Final = "deliveries"
ROWS_AT_ONCE: Final = 2_000

Kind = Literal["uuid", "text", "texts", "boolean", "integer", "bigint", "time", "date", "json"]
Row = Sequence[Any]


class Field(Struct, frozen=True):
    """A column of an export; `json` comes as text."""

    name: str
    kind: Kind


class NotYet(Exception):
    """The log or the view ends before the position to which it was asked for."""

    def __init__(self, name: str, position: int, reached: int) -> None:
        self.reached = reached
        what = "The log ends" if name == LOG else f"The view {name} stands"
        super().__init__(f"{what} at position {reached:,}, before {position:,}.")


class Export(Struct):
    """What is exported: `count` rows, in the order of their keys or positions, which come in batches and once only.

    Everything up to `position` is reflected, and nothing of the log that comes after; of a view, whose partitions do not stand at one
    position, some later events may be. `parked` are the keys that are left out, because something that happened to them
    could not be taken in, and how they are is not known.
    """

    name: str
    fields: tuple[Field, ...]
    left_out: tuple[str, ...]
    position: int
    count: int
    taken_at: datetime
    batches: AsyncIterator[Sequence[Row]]
    parked: int = 0


def exports() -> list[str]:
    """The names of all that can be exported."""
    return [*BY_NAME, DELIVERIES, LOG]


_KINDS: Final[tuple[tuple[type[TypeEngine[Any]], Kind], ...]] = (
    (Uuid, "uuid"),
    (String, "text"),
    (Boolean, "boolean"),
    (BigInteger, "bigint"),
    (Integer, "integer"),
    (DateTime, "time"),
    (Date, "date"),
    (ARRAY, "texts"),
    (JSON, "json"),
)


def kind_of(type_: TypeEngine[Any]) -> Kind:
    """What a column of this type is in an export."""
    return next(kind for class_, kind in _KINDS if isinstance(type_, class_))


async def _serving(connection: Reading, name: str) -> ReadModel[Any]:
    """The model over the table that serves it. Raises `ViewBehind` when none does yet."""
    model = BY_NAME[name]
    return model.on(await table_that_serves(connection, model))


async def view_position(connection: Reading, name: str) -> int:
    """The position that all of a view reflects; 0 for one that is still being built."""
    table = await serving_table(connection, BY_NAME[name])
    position: int = await connection.fetchval(
        "SELECT coalesce(min(position), 0) FROM checkpoints WHERE consumer = $1", table
    )
    return position


@asynccontextmanager
async def exported_view(
    connection: asyncpg.Connection, name: str, *, personal: bool, at_least: int = 0
) -> AsyncIterator[Export]:
    """A view as it is now, in one snapshot, for as long as the context is open; personal columns where they are asked for.

    Keys of which something is parked in the table that serves are left out, and counted.
    Raises `NotYet` when it does not reflect `at_least`, and `ViewBehind` when it is still being built.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        model = await _serving(connection, name)
        columns = [column for column in model.table.columns if personal or column.name not in PERSONAL_COLUMNS]
        of_parked = parked_events.c.consumer == model.consumer
        parked = await _count(connection, select(func.count(parked_events.c.key.distinct())).where(of_parked))
        known = [~is_parked(model.consumer, model.table.columns[model.key])] if parked else []
        rows = Statement(select(*columns).where(*known).order_by(*model.table.primary_key.columns))
        position = await view_position(connection, name)
        if position < at_least:
            raise NotYet(model.name, at_least, position)
        yield Export(
            model.name,
            tuple(Field(str(column.name), kind_of(column.type)) for column in columns),
            tuple(
                str(column.name) for column in model.table.columns if column.name in PERSONAL_COLUMNS and not personal
            ),
            position,
            await _count(connection, select(func.count()).select_from(model.table).where(*known)),
            datetime.now(UTC),
            in_batches(connection, rows),
            parked,
        )


async def _count(connection: asyncpg.Connection, asked: Select[Any]) -> int:
    row = await Statement(asked).fetchrow(connection)
    assert row is not None, "a count is always told"
    count: int = row[0]
    return count


async def in_batches(connection: asyncpg.Connection, rows: Statement) -> AsyncIterator[Sequence[Row]]:
    """Some rows at a time, in the transaction of the caller."""
    cursor = await connection.cursor(rows.sql, *rows.arguments({}))
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        yield rows
