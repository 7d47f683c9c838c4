"""What is known of rebuilds while they go on and afterwards: a row for each version of a read model, and a lock."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import asyncpg
from msgspec import Struct

from events.connections import Reading
from projections.read_model import ReadModel

__all__ = [
    "FOLLOWING",
    "Rebuild",
    "RebuildUnderWay",
    "ask",
    "begin",
    "hold",
    "let_go",
    "rebuilds",
    "settle",
    "tell",
    "to_do",
]

ASKED: Final = "asked"
BUILDING: Final = "building"
INDEXING: Final = "indexing"
FOLLOWING: Final = "following"
DONE: Final = "done"
STOPPED: Final = "stopped"

_CLASS: Final = "x'72656275'::integer"
_ALIVE: Final = f"""EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted
        AND classid = {_CLASS}::oid AND objid = hashtext(name || '_v' || version)::oid
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""  # noqa: S608 - of constants


class RebuildUnderWay(Exception):
    """Somebody else builds this view anew."""


class Rebuild(Struct, frozen=True):
    """The last rebuild of a version of a read model, or the one that is under way.

    `state` is asked, building (rows), indexing, following (the log, until it has come up with what serves), done, or
    stopped for a `cause`. `done` of `total` events are in the rows of `table`, `rate` of them a second, and the others need
    `seconds_left`. `alive` is whether anybody works on it at this moment.
    """

    name: str
    version: int
    state: str
    table: str | None
    processes: int
    done: int
    total: int
    rate: float
    seconds_left: float | None
    alive: bool
    cause: str | None
    asked_at: datetime
    begun_at: datetime | None
    told_at: datetime


async def rebuilds(connection: Reading, name: str | None = None) -> list[Rebuild]:
    """How the rebuilds of a read model are, or of all of them.

    One that ended when its table had just got to serve, and could not say so any more, is done.
    """
    rows = await connection.fetch(
        f"""SELECT name, version, state, target, processes, done, total, {_ALIVE} AS alive, cause, asked_at, begun_at, told_at,
            extract(epoch FROM told_at - begun_at)::float8 AS seconds, target IN (serving, previous) AS has_served
        FROM rebuilds LEFT JOIN read_models USING (name, version)
        WHERE $1::text IS NULL OR name = $1 ORDER BY name, version""",  # noqa: S608 - made of constants
        name,
    )
    return [_rebuild(row) for row in rows]


def _rebuild(row: asyncpg.Record) -> Rebuild:
    rate = row["done"] / row["seconds"] if row["state"] == BUILDING and row["seconds"] else 0.0
    is_over = row["state"] == FOLLOWING and row["has_served"] and not row["alive"]
    return Rebuild(
        name=row["name"],
        version=row["version"],
        state=DONE if is_over else row["state"],
        table=row["target"],
        processes=row["processes"],
        done=row["done"],
        total=row["total"],
        rate=round(rate, 1),
        seconds_left=round((row["total"] - row["done"]) / rate, 1) if rate else None,
        alive=row["alive"],
        cause=row["cause"],
        asked_at=row["asked_at"],
        begun_at=row["begun_at"],
        told_at=row["told_at"],
    )


async def hold(connection: asyncpg.Connection, model: ReadModel[Any]) -> None:
    """Be the one who rebuilds this view, until `let_go` or the end of the connection. Raises `RebuildUnderWay`."""
    if not await connection.fetchval(f"SELECT pg_try_advisory_lock({_CLASS}, hashtext($1))", model.view):
        raise RebuildUnderWay


async def let_go(connection: asyncpg.Connection, model: ReadModel[Any]) -> None:
    """Let others rebuild this view."""
    await connection.execute(f"SELECT pg_advisory_unlock({_CLASS}, hashtext($1))", model.view)


async def to_do(connection: Reading, models: Iterable[ReadModel[Any]]) -> list[str]:
    """The views, of these models, that workers were asked to build and that nobody builds now."""
    models = list(models)
    rows = await connection.fetch(
        f"""SELECT name || '_v' || version AS view FROM rebuilds
        WHERE by_workers AND state NOT IN ('{DONE}', '{STOPPED}') AND name || '_v' || version = ANY($1)
            AND NOT {_ALIVE}""",  # noqa: S608 - made of constants
        [model.view for model in models],
    )
    return [row["view"] for row in rows]


async def ask(connection: Reading, model: ReadModel[Any]) -> None:
    """Have the workers build a table anew. Raises `RebuildUnderWay`."""
    if not await connection.fetchval("SELECT ask_rebuild($1, $2)", model.name, model.version):
        raise RebuildUnderWay


async def begin(
    connection: asyncpg.Connection, model: ReadModel[Any], total: int, processes: int, *, by_workers: bool
) -> str:
    """Note that a rebuild begins; the table that it is to make, whose name no other had."""
    async with connection.transaction():
        number = await connection.fetchval(
            "UPDATE read_models SET tables = tables + 1 WHERE name = $1 AND version = $2 RETURNING tables - 1",
            model.name,
            model.version,
        )
        target = model.view if number == 0 else f"{model.view}_{number}"
        await connection.execute(
            f"""INSERT INTO rebuilds AS r (name, version, state, by_workers, target, processes, total, begun_at)
            VALUES ($1, $2, '{BUILDING}', $3, $4, $5, $6, clock_timestamp())
            ON CONFLICT (name, version) DO UPDATE SET state = excluded.state, by_workers = excluded.by_workers,
                target = excluded.target, processes = excluded.processes, done = 0, total = excluded.total, cause = NULL,
                asked_at = CASE WHEN r.state = '{ASKED}' THEN r.asked_at ELSE excluded.asked_at END,
                begun_at = excluded.begun_at, told_at = excluded.told_at""",  # noqa: S608 - made of constants
            model.name,
            model.version,
            by_workers,
            target,
            processes,
            total,
        )
    return target


async def tell(connection: Reading, model: ReadModel[Any], state: str, done: int) -> None:
    """Note how far it is; should the server fail, that is no loss."""
    await connection.execute(
        "UPDATE rebuilds SET state = $3, done = $4, told_at = clock_timestamp() WHERE name = $1 AND version = $2",
        model.name,
        model.version,
        state,
        done,
    )


async def settle(connection: Reading, model: ReadModel[Any], cause: str | None = None) -> None:
    """Note that it is done, or has stopped for a cause."""
    await connection.execute(
        "UPDATE rebuilds SET state = $3, cause = $4, told_at = clock_timestamp() WHERE name = $1 AND version = $2",
        model.name,
        model.version,
        DONE if cause is None else STOPPED,
        cause,
    )
