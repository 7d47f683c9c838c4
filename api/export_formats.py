"""How exports are written: lines of CSV (RFC 4180) or of JSON; Parquet has a file of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

import msgspec

from queries.exports import Field, Kind

__all__ = ["Csv", "Format", "Ndjson", "Sink", "SpreadsheetCsv"]

_json: Final = msgspec.json.Encoder()
Row = Sequence[Any]
Cells = Mapping[Kind, Callable[[Any], str]]

BEGINS_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes) -> Any:
        """Take them."""
        ...


class Format(Protocol):
    """Writes an export: its beginning when it is made, then its rows, then its end."""

    def write(self, rows: Iterable[Row]) -> None:
        """More rows."""
        ...

    def end(self) -> None:
        """That was all."""
        ...


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


_CELLS: Final[Cells] = {
    "uuid": str,
    "text": _quoted,
    "texts": lambda value: _quoted(_json.encode(value).decode()),
    "boolean": lambda value: "true" if value else "false",
    "integer": str,
    "bigint": str,
    "time": _time,
    "date": str,
    "json": _quoted,
}


class Csv:
    """A heading, then a line a row. Text is quoted, an empty one too, and null is nothing at all; arrays and objects are JSON."""

    cells: ClassVar[Cells] = _CELLS

    def __init__(self, sink: Sink, fields: Sequence[Field], _stamp: Mapping[str, str]) -> None:
        self._sink = sink
        self._cells = [self.cells[field.kind] for field in fields]
        sink.write((",".join(field.name for field in fields) + "\n").encode())

    def write(self, rows: Iterable[Row]) -> None:
        """More lines."""
        lines = [
            ",".join("" if value is None else cell(value) for cell, value in zip(self._cells, row, strict=True))
            for row in rows
        ]
        self._sink.write("".join(f"{line}\n" for line in lines).encode())

    def end(self) -> None:
        """Nothing ends a CSV."""


def _said_to_be_text(text: str) -> str:
    return _quoted(f"'{text}" if text.startswith(BEGINS_FORMULAS) else text)


class SpreadsheetCsv(Csv):
    """The same for spreadsheets: text that they would take for a formula begins with an apostrophe, which is one too many for others.

    JSON begins with a bracket or a quote, and what is neither text nor JSON is nobody's choice.
    """

    cells: ClassVar[Cells] = {**_CELLS, "text": _said_to_be_text}


def _raw(text: str) -> msgspec.Raw:
    """JSON as it was written, on one line."""
    return msgspec.Raw(msgspec.json.format(text, indent=-1).encode() if "\n" in text or "\r" in text else text.encode())


class Ndjson:
    """A JSON object a line, in the shapes of the API: times in UTC, ids as text."""

    def __init__(self, sink: Sink, fields: Sequence[Field], _stamp: Mapping[str, str]) -> None:
        self._sink = sink
        self._names = [field.name for field in fields]
        self._raw = [place for place, field in enumerate(fields) if field.kind == "json"]

    def write(self, rows: Iterable[Row]) -> None:
        """More lines."""
        self._sink.write(b"".join(map(self._line, rows)))

    def _line(self, row: Row) -> bytes:
        values = list(row)
        for place in self._raw:
            if values[place] is not None:
                values[place] = _raw(values[place])
        return _json.encode(dict(zip(self._names, values, strict=True))) + b"\n"

    def end(self) -> None:
        """Nothing ends lines of JSON."""
