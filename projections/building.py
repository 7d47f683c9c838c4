"""Fills a new table of a read model: rows folded anew and copied, keys of a range at a time; indexes when all are there."""

from collections.abc import Collection, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from events.keys import MasterKey
from projections.anew import Anew, Folded, Unfoldable
from projections.causes import told
from projections.database import ddl
from projections.engine import REFUSED_DATA
from projections.folding import fold_whole
from projections.read_model import ReadModel, Row
from projections.rows import Rows

__all__ = ["Builder", "BuiltWrongly", "create", "finish"]

R = TypeVar("R", bound=Row)
REFUSED: Final = (*REFUSED_DATA, OverflowError, TypeError, ValueError)
"""What the table says of data that it does not take, or asyncpg before it is asked."""

INDEX_MEMORY: Final = "256MB"


class BuiltWrongly(Exception):
    """A new table is not what the log makes of it, and does not get to serve: a fault of Muster's, or of the disk."""

    def __init__(self, table: str, how: str) -> None:
        super().__init__(
            f"{table} was built wrongly: {how}. Report it, with what muster projections verify says of the table that serves."
        )


class Builder(Generic[R]):
    """Folds and copies ranges of keys into a table that has no index yet; any number of them at once."""

    def __init__(
        self, model: ReadModel[R], master: MasterKey, *, until: int, discarded: Collection[int] = frozenset()
    ) -> None:
        """`model` is on the table that is built; the rows are as of the position `until`."""
        self._model = model
        self._rows = Rows(model)
        self._anew = Anew(model, master, until=until, discarded=discarded)

    async def build(self, connection: asyncpg.Connection, after: UUID, until: UUID) -> int:
        """Copy the rows of a range of keys, all or none of them; how many there are.

        The transaction does not wait for the disk: what lets the table serve comes after it and does. Raises `Unfoldable`.
        """
        count = 0
        copying: Sequence[Folded[R]] = ()
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit = off")
                async for copying in self._anew.keys(connection, after, until):
                    rows: list[R] = []
                    for folded in copying:
                        if folded.failure is not None:
                            raise self._anew.unfoldable(folded)
                        rows += folded.rows
                    await self._rows.copy(connection, rows)
                    count += len(rows)
        except REFUSED:
            refused = await self._refused(connection, copying)
            if refused is None:
                raise
            raise refused from None
        return count

    async def _refused(self, connection: asyncpg.Connection, keys: Sequence[Folded[R]]) -> Unfoldable | None:
        """The first event, of the first key, whose rows the table does not take; nothing is written."""
        for folded in keys:
            if await self._refusal(connection, folded.rows) is None:
                continue
            for number, fact in enumerate(folded.facts, start=1):
                refusal = await self._refusal(connection, fold_whole(self._model, folded.facts[:number]))
                if refusal is not None:
                    return Unfoldable(fact.position, folded.key, told(refusal))
        return None

    async def _refusal(self, connection: asyncpg.Connection, rows: list[R]) -> Exception | None:
        refusal: Exception | None = None
        transaction = connection.transaction()
        await transaction.start()
        try:
            await self._rows.copy(connection, rows)
        except REFUSED as error:
            refusal = error
        finally:
            await transaction.rollback()
        return refusal


async def create(connection: asyncpg.Connection, model: ReadModel[Any]) -> None:
    """Make the table that a model is on, without any index, so that it is filled quickly."""
    bare = Table(
        model.table.name,
        MetaData(schema=model.table.schema),
        *(Column(column.name, column.type, nullable=column.nullable) for column in model.table.columns),
        postgresql_with=model.table.dialect_options["postgresql"]["with"],
    )
    await connection.execute(ddl(CreateTable(bare)))


async def finish(connection: asyncpg.Connection, model: ReadModel[Any], reader: str, rows: int) -> None:
    """Give a table that is filled its key and its indexes, let the planner know it and the reader's role read it.

    Raises `BuiltWrongly` when it does not have the rows that were copied: then some were lost, or another wrote too.
    """
    table = model.table
    await connection.execute(f"SET maintenance_work_mem = '{INDEX_MEMORY}'")
    try:
        await connection.execute(ddl(AddConstraint(table.primary_key, isolate_from_table=False)))
    except asyncpg.UniqueViolationError:
        raise BuiltWrongly(model.consumer, "it has rows twice") from None
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        await connection.execute(ddl(CreateIndex(index)))
    await connection.execute(f"ANALYZE {table.fullname}")
    found = await connection.fetchval(f"SELECT count(*) FROM {table.fullname}")  # noqa: S608 - a name of ours
    if found != rows:
        raise BuiltWrongly(model.consumer, f"it has {found} rows instead of the {rows} that were copied")
    await Rows(model).open_to(connection, reader)
