"""Looks for what is left of a person: in every table, in Redis, in logs and kept mail. It reads, and changes nothing."""

from collections.abc import AsyncIterator, Collection, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
from msgspec import Struct

from api.traces import Traces
from projections.models import MODELS

__all__ = ["Place", "scan_database", "scan_files", "scan_redis", "what_stands"]

KEYS_AT_ONCE: Final = 1000
_COLUMNS: Final = """
SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, format_type(a.atttypid, NULL) AS type
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND n.nspname = ANY('{public,views}')
ORDER BY 1, 2, a.attnum
"""
_STREAMS: Final = (
    "SELECT DISTINCT originator_id FROM stored_events WHERE subject_id = $1 AND stream_type <> 'administrators'"
)


_NO_TEXT: Final = "''"


class Place(Struct, frozen=True):
    """Where was looked, at how many of what (`looked_at` and `unit`), and in how many of them something was `found`."""

    where: str
    looked_at: int
    unit: str
    found: int


async def what_stands(connection: asyncpg.Connection, user_id: UUID) -> list[Place]:
    """What an erasure takes with it, whatever the texts were: the key, secrets, receipts, claims, rows of views.

    `connection` is the owner's: no other role may read all of it.
    """
    asked = {
        "the key of what is sealed": "data_keys WHERE wrapped IS NOT NULL AND subject_id = $1",
        "secrets": "secrets WHERE subject_id = $1",
        "receipts": "receipts WHERE subject_id = $1",
        "claims": "claims WHERE owner_id = $1",
        "parked events": "parked_events WHERE key = $1 AND split_part(consumer, '_v', 1) = ANY($2)",
    }
    personal = {model.name: model for model in MODELS if model.opens_seals}
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'views'::regnamespace"
    )
    for (table,) in sorted(tables):
        model = personal.get(table.rpartition("_v")[0])
        if model is not None:
            asked[f"views.{table}"] = f'views."{table}" WHERE {model.key} = $1'
    places = []
    for where, rows in asked.items():
        more = [list(personal)] if "$2" in rows else []
        found = await connection.fetchval(f"SELECT count(*) FROM {rows}", user_id, *more)  # noqa: S608 - names of ours
        places.append(Place(where, found, "rows of theirs", found))
    return places


async def scan_database(connection: asyncpg.Connection, user_id: UUID, traces: Traces) -> AsyncIterator[Place]:
    """Every row of every table of the log, beside it and of views, one table after the other; as the owner."""
    theirs = [user_id, *(row[0] for row in await connection.fetch(_STREAMS, user_id))]
    columns = await connection.fetch(_COLUMNS)
    for (schema, name), described in groupby(columns, key=lambda row: (row["schema"], row["name"])):
        found = await connection.fetchrow(
            _question(f'"{schema}"."{name}"', list(described)),
            sorted(traces.own),
            sorted(traces.shared),
            [trace.encode() for trace in sorted(traces.own)],
            [trace.encode() for trace in sorted(traces.shared)],
            theirs,
        )
        yield Place(f"{schema}.{name}", found["rows"], "rows", found["found"])


def _question(table: str, columns: Iterable[Any]) -> str:
    """How many rows there are, and how many have one of the texts $1 (bytes $3) or, about one of $5, of $2 (bytes $4)."""
    texts, raws, ids = [], [], []
    for row in columns:
        column = '"' + row["column"] + '"'
        if row["type"] == "bytea":
            raws.append(column)
        elif row["type"] == "uuid":
            ids.append(column)
        else:
            texts.append(f"{column}::text")
    text = f"lower(concat_ws(E'\\n', {', '.join(texts or [_NO_TEXT])}))"

    def has(text_traces: str, raw_traces: str) -> str:
        looks = [
            f"EXISTS (SELECT FROM unnest({text_traces}::text[]) AS t (trace) WHERE position(t.trace IN {text}) > 0)"
        ]
        looks += [
            f"EXISTS (SELECT FROM unnest({raw_traces}::bytea[]) AS t (trace) WHERE position(t.trace IN {raw}) > 0)"
            for raw in raws
        ]
        return f"({' OR '.join(looks)})"

    about = " OR ".join(f"{column} = ANY($5::uuid[])" for column in ids) or "$5::uuid[] IS NULL"
    condition = f"{has('$1', '$3')} OR (({about}) AND {has('$2', '$4')})"
    given = "$3::bytea[] IS NOT NULL AND $4::bytea[] IS NOT NULL"  # where no column is of bytes
    return f"SELECT count(*) AS rows, count(*) FILTER (WHERE ({condition}) AND {given}) AS found FROM {table}"  # noqa: S608 - the catalogue's names


async def scan_redis(url: str, traces: Traces) -> Place:
    """Every key and what it holds. Raises OSError or redis's errors where there is none to ask."""
    from redis.asyncio import Redis

    needles = [trace.encode() for trace in traces.own]
    looked_at = found = 0
    async with Redis.from_url(url) as client:
        async for key in client.scan_iter(count=KEYS_AT_ONCE):
            looked_at += 1
            found += _has(b"\n".join([key, *await _held(client, key)]), needles)
    return Place("Redis", looked_at, "keys", found)


async def _held(client: Any, key: bytes) -> list[bytes]:
    """All that a key holds, of whatever type it is."""
    kind = await client.type(key)
    match kind:
        case b"string":
            value = await client.get(key)
            return [] if value is None else [value]
        case b"hash":
            return [part for pair in (await client.hgetall(key)).items() for part in pair]
        case b"list":
            return list(await client.lrange(key, 0, -1))
        case b"set":
            return list(await client.smembers(key))
        case b"zset":
            return list(await client.zrange(key, 0, -1))
        case b"stream":
            return [part for _, entry in await client.xrange(key) for pair in entry.items() for part in pair]
        case _:  # it expired meanwhile
            return []


def scan_files(where: str, folder: Path, traces: Traces) -> Place:
    """Every file below a folder."""
    needles = [trace.encode() for trace in traces.own]
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return Place(where, len(files), "files", sum(_file_has(file, needles) for file in files))


def _file_has(file: Path, needles: Collection[bytes]) -> bool:
    try:
        with file.open("rb") as lines:
            return any(_has(line, needles) for line in lines)
    except FileNotFoundError:  # it was taken away meanwhile
        return False


def _has(raw: bytes, needles: Collection[bytes]) -> bool:
    lower = raw.lower()
    return any(needle in lower for needle in needles)
