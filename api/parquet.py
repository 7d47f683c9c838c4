"""Exports as Parquet, with the types that the database has; needs the package pa."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from api.export_formats import Row, Sink
from queries.exports import Field, Kind

__all__ = ["Parquet"]

MOST_ROWS: Final = 20_000
MOST_BYTES: Final = 16 * 1024 * 1024
"""A row group is written when it has so many rows, or takes so much memory."""

_TYPES: Final[Mapping[Kind, Any]] = {
    "uuid": pa.uuid(),
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "json": pa.json_(),
}


class Parquet:
    """One file, compressed with zstd; what it reflects stands in the key-value metadata of the file."""

    def __init__(self, sink: Sink, fields: Sequence[Field], stamp: Mapping[str, str]) -> None:
        self._schema = pa.schema([(field.name, _TYPES[field.kind]) for field in fields], metadata=dict(stamp))
        self._writer = ParquetWriter(sink, self._schema, compression="zstd")
        self._batches: list[Any] = []

    def write(self, rows: Iterable[Row]) -> None:
        """More rows; they reach the file with their row group."""
        columns = zip(*rows, strict=True)
        arrays = [_array(values, type_) for values, type_ in zip(columns, self._schema.types, strict=True)]
        self._batches.append(pa.record_batch(arrays, schema=self._schema))
        gathered = sum(batch.num_rows for batch in self._batches), sum(batch.nbytes for batch in self._batches)
        if gathered[0] >= MOST_ROWS or gathered[1] >= MOST_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches))
            self._batches = []

    def end(self) -> None:
        """Write the last row group, and the footer without which nobody takes it for a Parquet file."""
        self._write_group()
        self._writer.close()


def _array(values: Sequence[Any], type_: Any) -> Any:
    if type_ == _TYPES["uuid"]:
        octets = [None if value is None else value.bytes for value in values]  # it takes UUIDs as they are from 22 on
        return pa.array(octets, pa.binary(16)).cast(type_)
    return pa.array(values, type_)
