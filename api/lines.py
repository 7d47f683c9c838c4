"""Lines of a stream without end, none of which is kept for longer than it is looked at."""

from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

__all__ = ["MOST_LINE_BYTES", "Line", "lines"]

MOST_LINE_BYTES: Final = 64 * 1024
_MARK: Final = b"\xef\xbb\xbf"
"""What some programs write before UTF-8."""


class Line(Struct, frozen=True):
    """A line by its number, from 1, without its end; `text` is None for one that is too long to be taken."""

    number: int
    text: bytes | None


async def lines(chunks: AsyncIterator[bytes], most: int = MOST_LINE_BYTES) -> AsyncIterator[Line]:
    """The lines of a stream that are not blank. What is too long of one is let go by as it comes."""
    number, size = 1, 0
    parts: list[bytes] = []
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for end in ended:
            parts.append(end)
            if (line := _line(number, parts, size + len(end), most)) is not None:
                yield line
            number, size = number + 1, 0
            parts.clear()
        size += len(rest)
        if size > most:
            parts.clear()
        elif rest:
            parts.append(rest)
    if (line := _line(number, parts, size, most)) is not None:
        yield line


def _line(number: int, parts: list[bytes], size: int, most: int) -> Line | None:
    if size > most:
        return Line(number, None)
    text = b"".join(parts)
    if number == 1:
        text = text.removeprefix(_MARK)
    return Line(number, text) if text and not text.isspace() else None
