"""Exports read back, as another program reads them: into the values that the database had."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import pyarrow.parquet as pq

from queries.exports import Field

__all__ = ["READERS"]

OF_TEXT: Final[dict[str, Callable[[str], Any]]] = {
    "uuid": UUID,
    "text": str,
    "texts": json.loads,
    "boolean": {"true": True, "false": False}.__getitem__,
    "integer": int,
    "bigint": int,
    "time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "json": json.loads,
}

OF_JSON: Final = OF_TEXT | {
    kind: lambda value: value for kind in ("text", "texts", "boolean", "integer", "bigint", "json")
}


def _cells(text: str) -> Iterator[list[str | None]]:
    """RFC 4180, and PostgreSQL's: what is not quoted and empty is null."""
    row: list[str | None] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            end, parts = at + 1, []
            while True:
                close = text.index('"', end)
                parts.append(text[end:close])
                end = close + 1
                if text[end : end + 1] != '"':
                    break
                end += 1
            row.append('"'.join(parts))
        else:
            end = min(place for place in (text.find(",", at), text.find("\n", at)) if place >= 0)
            row.append(text[at:end] or None)
        at = end + 1
        if text[end] == "\n":
            yield row
            row = []
        elif text[at] == "\n":
            yield [*row, None]
            row, at = [], at + 1


def of_csv(data: bytes, fields: Sequence[Field]) -> list[dict[str, Any]]:
    heading, *rows = _cells(data.decode())
    assert heading == [field.name for field in fields]
    return [_values(zip(fields, row, strict=True), OF_TEXT) for row in rows]


def of_ndjson(data: bytes, fields: Sequence[Field]) -> list[dict[str, Any]]:
    lines = data.decode().split("\n")
    assert lines.pop() == ""
    rows = [json.loads(line) for line in lines]
    return [_values([(field, row[field.name]) for field in fields], OF_JSON) for row in rows]


def of_parquet(data: bytes, fields: Sequence[Field]) -> list[dict[str, Any]]:
    table = pq.read_table(io.BytesIO(data))
    assert table.column_names == [field.name for field in fields]
    as_json = {field.name for field in fields if field.kind == "json"}
    return [
        {name: json.loads(value) if name in as_json and value is not None else value for name, value in row.items()}
        for row in table.to_pylist()
    ]


def _values(cells: Any, readers: dict[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {field.name: None if value is None else readers[field.kind](value) for field, value in cells}


READERS: Final = {"csv": of_csv, "ndjson": of_ndjson, "parquet": of_parquet}
