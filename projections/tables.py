"""The tables of read models that a worker keeps: which of them there are, and making the first one of each."""

import contextlib
from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from events.connections import Reading
from events.data_keys import DataKeys
from projections.checkpoints import PREPARE_LOCK, PROJECTED, prepare
from projections.engine import Projector
from projections.read_model import ReadModel
from projections.rebuilds import RebuildUnderWay, ask
from projections.rows import Rows
from projections.serving import note, serving_table

__all__ = ["Tables", "open_view", "tables_of"]

FEW: Final = 1_000


async def tables_of(connection: Reading, model: ReadModel[Any]) -> list[str]:
    """The tables of this version of a model that are projected: the one that serves, one that is to, one that did."""
    rows = await connection.fetch(
        "SELECT DISTINCT consumer FROM checkpoints WHERE consumer ~ ('^' || $1 || '(_[0-9]+)?$') ORDER BY consumer",
        model.view,
    )
    return [row["consumer"] for row in rows]


async def open_view(connection: asyncpg.Connection, model: ReadModel[Any], partitions: int, reader: str) -> None:
    """Let a view serve, in so many partitions: at once where nothing has happened that it would show, else when it is built.

    Until then the workers are asked to build it, and whoever asks it is told to wait. `reader` is the quoted name of the
    role that reads. Safe to repeat, and to do twice at once.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PREPARE_LOCK)
        await note(connection, model)
        await _forget_what_is_gone(connection, model)
        serves = await serving_table(connection, model)
        if serves is None and await _nothing_to_show(connection, model):
            serves = model.view
            await _point(connection, model, serves)
            await prepare(connection, {serves: partitions}, {})
        if serves is not None:
            await Rows(model.on(serves)).create(connection, reader)
        await prepare(connection, dict.fromkeys(await tables_of(connection, model), partitions), {})
        if serves is None:
            with contextlib.suppress(RebuildUnderWay):
                await ask(connection, model)


async def _forget_what_is_gone(connection: asyncpg.Connection, model: ReadModel[Any]) -> None:
    """Tables that are not there, as after a restore without them, neither serve nor stand anywhere."""
    known = {*await tables_of(connection, model), await serving_table(connection, model)}
    gone = await connection.fetch(
        "SELECT found FROM unnest($1::text[]) AS found WHERE to_regclass('views.' || found) IS NULL",
        [table for table in known if table],
    )
    for (table,) in gone:
        await connection.execute("DELETE FROM checkpoints WHERE consumer = $1", table)
        await connection.execute("DELETE FROM parked_events WHERE consumer = $1", table)
        await connection.execute("UPDATE read_models SET serving = NULL WHERE serving = $1", table)
        await connection.execute("UPDATE read_models SET previous = NULL WHERE previous = $1", table)
        await connection.execute("SELECT pg_notify($1, $2)", PROJECTED, table)


async def _point(connection: asyncpg.Connection, model: ReadModel[Any], table: str) -> None:
    await connection.execute(
        "UPDATE read_models SET serving = $3, tables = greatest(tables, 1) WHERE name = $1 AND version = $2",
        model.name,
        model.version,
        table,
    )
    await connection.execute("SELECT pg_notify($1, $2)", PROJECTED, table)


async def _nothing_to_show(connection: asyncpg.Connection, model: ReadModel[Any]) -> bool:
    """Whether the log is short and holds no event of the model: then folding it live is done in no time."""
    nothing: bool = await connection.fetchval(
        "SELECT coalesce(max(notification_id), 0) <= $1 AND coalesce(bool_and(topic <> ALL($2)), true) FROM ("
        "SELECT notification_id, topic FROM stored_events ORDER BY notification_id LIMIT $1 + 1) AS first",
        FEW,
        [event.__name__ for event in model.events],
    )
    return nothing


class Tables:
    """The projectors of one process, one for each table that there is of the models that this code knows."""

    def __init__(self, models: Iterable[ReadModel[Any]], keys: DataKeys) -> None:
        self.models = {model.view: model for model in models}
        self.projectors: dict[str, Projector[Any]] = {}
        self.keys = keys

    async def look(self, connection: Reading) -> None:
        """Know the tables that were built, and forget those that were dropped."""
        found: set[str] = set()
        for model in self.models.values():
            for table in await tables_of(connection, model):
                found.add(table)
                if table not in self.projectors:
                    self.projectors[table] = Projector(model.on(table), self.keys)
        for table in self.projectors.keys() - found:
            del self.projectors[table]
