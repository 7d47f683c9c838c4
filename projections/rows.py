"""Rows of a read model's table, read and written many at a time."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import ARRAY, JSON, Text, any_, cast, column, delete, func, select, table, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateIndex, CreateTable

from events.connections import Reading
from projections.checkpoints import Checkpoint, Overtaken
from projections.database import Statement, ddl, given
from projections.moving import move, move_arguments, move_with
from projections.read_model import ReadModel, Row

__all__ = ["Rows", "Stored"]

R = TypeVar("R", bound=Row)
_CREATE_LOCK: Final = 0x76696577
ROWS_AT_ONCE: Final = 5_000
NOTHING_WRITTEN: Final = "INSERT 0 0"
_json: Final = msgspec.json.Encoder()


def _to_json(value: Any) -> str:
    return _json.encode(value).decode()


def _to_array(values: Iterable[str]) -> str:
    """The text of an array, because `unnest` would take an array of arrays apart to the last item."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


def _crossing(kind: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    """How values of a column go and come as text; None for those that asyncpg takes as they are."""
    if isinstance(kind, JSON):
        return _to_json, msgspec.json.decode
    if isinstance(kind, ARRAY):
        return _to_array, tuple
    return None


class Rows(Generic[R]):
    """The statements of one physical table, compiled once, and rows as they go there and back."""

    def __init__(self, model: ReadModel[R]) -> None:
        self._row = model.row
        self._table = model.table
        columns = list(model.table.columns)
        self._names = [str(column.name) for column in columns]
        self._crossings = [_crossing(column.type) for column in columns]
        self._to_text = [None if crossing is None else crossing[0] for crossing in self._crossings]
        self._json_at = [place for place, to_text in enumerate(self._to_text) if to_text is _to_json]
        self._get_all: Callable[[R], tuple[Any, ...]] = attrgetter(*self._names)
        self._key = model.key
        self._closed_by = model.closed_by
        stored = model.table.columns
        key = stored[model.key]
        keys = any_(given("keys", ARRAY(key.type)))
        whole = select(model.table).where(key == keys)
        self._whole = Statement(whole)
        self._load = (
            self._whole if model.closed_by is None else Statement(whole.where(stored[model.closed_by].is_(None)))
        )
        self._range = Statement(
            select(model.table)
            .where(key > given("after", key.type), key <= given("until", key.type))
            .order_by(key, *model.table.primary_key)
        )
        self._seen = Statement(select(key, func.max(stored.position)).where(key == keys).group_by(key))
        self._remove = Statement(delete(model.table).where(key == keys))
        self._write = Statement(self._upsert(model.identity))
        self._write_moving = move_with(Statement(self._upsert(model.identity, moving=True)).sql, len(self._names))
        self._insert_moving = move_with(Statement(self._insert(moving=True)).sql, len(self._names))

    def _insert(self, *, moving: bool = False) -> Any:
        columns = list(self._table.columns)
        wire = [Text() if crossing else column.type for column, crossing in zip(columns, self._crossings, strict=True)]
        rows = func.unnest(*(given(name, ARRAY(kind)) for name, kind in zip(self._names, wire, strict=True)))
        named = rows.table_valued(*map(column, self._names, wire)).render_derived(name="given")
        values = [
            cast(named.columns[target.name], target.type) if crossing else named.columns[target.name]
            for target, crossing in zip(columns, self._crossings, strict=True)
        ]
        source = named.join(table("told"), true()) if moving else named
        return insert(self._table).from_select(self._names, select(*values).select_from(source))

    def _upsert(self, identity: Sequence[str], *, moving: bool = False) -> Any:
        rows = self._insert(moving=moving)
        changes = {name: rows.excluded[name] for name in self._names if name not in identity}
        return rows.on_conflict_do_update(index_elements=identity, set_=changes)

    def key_of(self, row: R) -> UUID:
        """The key of a row."""
        key: UUID = getattr(row, self._key)
        return key

    async def load(self, connection: Reading, keys: Collection[UUID]) -> dict[UUID, list[R]]:
        """The open rows of these keys, in one question; a key without any is left out."""
        return self._grouped(await self._load.fetch(connection, keys=list(keys)))

    async def whole(self, connection: Reading, keys: Collection[UUID]) -> dict[UUID, list[R]]:
        """All rows of these keys, closed ones as well."""
        return self._grouped(await self._whole.fetch(connection, keys=list(keys)))

    def _grouped(self, records: Iterable[asyncpg.Record]) -> dict[UUID, list[R]]:
        grouped: dict[UUID, list[R]] = {}
        for record in records:
            grouped.setdefault(record[self._key], []).append(self._read(record))
        return grouped

    async def seen(self, connection: Reading, keys: Collection[UUID]) -> dict[UUID, int]:
        """The last event that was applied to any row of these keys, where closed rows may know of a later one than open ones."""
        if self._closed_by is None:
            return {}
        return dict(await self._seen.fetch(connection, keys=list(keys)))

    async def stored(self, connection: asyncpg.Connection, after: UUID, until: UUID) -> "Stored[R]":
        """All rows of a range of keys, to be read on as they are needed, within the connection's transaction."""
        arguments = self._range.arguments({"after": after, "until": until})
        cursor = await connection.cursor(self._range.sql, *arguments)
        return Stored(cursor, self._read, self.key_of)

    def values(self, row: R) -> dict[str, Any]:
        """The values of a row by their columns, as they are read after they were written."""
        return {
            name: msgspec.json.decode(_to_json(value)) if to_text is _to_json and value is not None else value
            for name, value, to_text in zip(self._names, self._get_all(row), self._to_text, strict=True)
        }

    def _read(self, record: asyncpg.Record) -> R:
        values = {
            name: value if crossing is None or value is None else crossing[1](value)
            for name, value, crossing in zip(self._names, record, self._crossings, strict=True)
        }
        return self._row(**values)

    async def write(self, connection: Reading, rows: Sequence[R]) -> None:
        """Put rows in the place of those of the same identity, in one statement."""
        if rows:
            await self._write.execute(connection, **dict(self._columns_of(rows)))

    async def write_moving(
        self,
        connection: Reading,
        rows: Sequence[R],
        checkpoint: Checkpoint,
        position: int,
        taken: int,
        *,
        new: bool = False,
    ) -> None:
        """The same in one statement with moving a checkpoint, or not at all: raises `Overtaken`.

        With `new` there must be none of the same identity yet: raises `asyncpg.UniqueViolationError`.
        """
        if not rows:
            await move(connection, checkpoint, position, taken=taken)
            return
        arguments = self._write.arguments(dict(self._columns_of(rows)))
        moving = move_arguments(checkpoint, position, taken=taken)
        statement = self._insert_moving if new else self._write_moving
        if await connection.execute(statement, *arguments, *moving) == NOTHING_WRITTEN:
            raise Overtaken(checkpoint.consumer)

    def _columns_of(self, rows: Sequence[R]) -> Iterable[tuple[str, list[Any]]]:
        for name, crossing in zip(self._names, self._crossings, strict=True):
            values = [getattr(row, name) for row in rows]
            if crossing is not None:
                values = [None if value is None else crossing[0](value) for value in values]
            yield name, values

    async def copy(self, connection: asyncpg.Connection, rows: Sequence[R]) -> None:
        """Add rows to those that are there, by COPY, which is the quickest for many."""
        if rows:
            await connection.copy_records_to_table(
                self._table.name, schema_name=self._table.schema, columns=self._names, records=map(self._record, rows)
            )

    def _record(self, row: R) -> list[Any]:
        """What COPY is given: arrays as they are, and JSON as text."""
        values = [*self._get_all(row)]
        for place in self._json_at:
            if values[place] is not None:
                values[place] = _to_json(values[place])
        return values

    async def remove(self, connection: Reading, keys: Collection[UUID]) -> None:
        """Remove all rows of these keys."""
        if keys:
            await self._remove.execute(connection, keys=list(keys))

    async def create(self, connection: asyncpg.Connection, reader: str) -> None:
        """Make the table unless it is there, for the reader's role (a quoted name) to read, and whoever owns the database.

        Safe to repeat.
        """
        async with connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock($1)", _CREATE_LOCK
            )  # two at once trip over each other
            await connection.execute(ddl(CreateTable(self._table, if_not_exists=True)))
            for index in self._table.indexes:
                await connection.execute(ddl(CreateIndex(index, if_not_exists=True)))
            await self.open_to(connection, reader)

    async def open_to(self, connection: asyncpg.Connection, reader: str) -> None:
        """Let the reader's role, and whoever owns the database, read the table."""
        owner = await connection.fetchval("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'views'")
        await connection.execute(f"GRANT SELECT ON {self._table.fullname} TO {reader}, {owner}")


class Stored(Generic[R]):
    """Rows in the order of their keys, read from a cursor."""

    def __init__(self, cursor: Any, read: Callable[[asyncpg.Record], R], key_of: Callable[[R], UUID]) -> None:
        self._cursor = cursor
        self._read = read
        self._key_of = key_of
        self._next: deque[R] = deque()
        self._more = True

    async def until(self, last: UUID, most: int | None = None) -> dict[UUID, list[R]]:
        """The next rows up to a key (included), by their keys; with `most` no further keys once there are so many rows."""
        rows: dict[UUID, list[R]] = {}
        number = 0
        while await self._fetched() and (key := self._key_of(self._next[0])) <= last:
            if most is not None and number >= most and key not in rows:
                break
            rows.setdefault(key, []).append(self._next.popleft())
            number += 1
        return rows

    async def _fetched(self) -> bool:
        """Whether there is another row; fetched, if need be."""
        if not self._next and self._more:
            records = await self._cursor.fetch(ROWS_AT_ONCE)
            self._more = len(records) == ROWS_AT_ONCE
            self._next.extend(map(self._read, records))
        return bool(self._next)
