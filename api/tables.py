"""Tables for people at a terminal: aligned columns, times in UTC, and nothing in them that a terminal would obey."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

__all__ = ["Table", "cell"]

GAP: Final = "  "
NOTHING: Final = "-"


class Table:
    """Lines of cells under headings, as wide as the widest cell of the first lines that are added; later ones go along."""

    def __init__(self, *headings: str) -> None:
        self._headings = headings
        self._widths: list[int] = []

    def lines(self, rows: Iterable[Sequence[Any]]) -> list[str]:
        """More lines; the first ones begin with the headings."""
        cells = [[cell(value) for value in row] for row in rows]
        if not self._widths:
            cells.insert(0, list(self._headings))
            self._widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
        return [self._line(row) for row in cells]

    def _line(self, row: Sequence[str]) -> str:
        padded = [text + " " * (width - _width(text)) for text, width in zip(row, self._widths, strict=True)]
        return GAP.join(padded).rstrip()


def cell(value: Any) -> str:
    """A value as people read it, on one line."""
    match value:
        case None | "" | []:
            return NOTHING
        case dict() if not value:
            return NOTHING
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        case bool():
            return "yes" if value else "no"
        case list() | tuple() if all(isinstance(item, str) for item in value):
            return _plain(", ".join(value))
        case dict() | list():
            return _plain(msgspec.json.encode(value).decode())
        case _:
            return _plain(str(value))


def _plain(text: str) -> str:
    """The text with whatever is no letter, mark, number, sign or space written as an escape: names are others' words."""
    return "".join(
        character if character == " " or unicodedata.category(character)[0] not in "CZ" else ascii(character)[1:-1]
        for character in text
    )


def _width(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian wide letters take two, marks none."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(character) in "FW"
        else 1
        for character in text
    )
