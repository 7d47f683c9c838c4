"""Whether reading stays an index scan on a log of any length: what the planner says, and how long a page takes."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from events.connections import connect
from events.rows import log_rows, stream_rows
from tests.support import Database

__all__ = ["plans"]

PAGE: Final = 500


class _Explaining:
    """Stands where a connection does, and has each question explained as well as asked."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.scans: list[str] = []
        self.seconds = 0.0

    async def fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        """The rows; `scans` are the nodes that read the table, `seconds` how long it took without explaining."""
        told = await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
        self.scans = _scans(json.loads(told)[0]["Plan"])
        begun = time.perf_counter()
        rows: Sequence[Any] = await self._connection.fetch(statement, *arguments)
        self.seconds = time.perf_counter() - begun
        return rows


def _scans(plan: dict[str, Any]) -> list[str]:
    below = [scan for child in plan.get("Plans", ()) for scan in _scans(child)]
    return [plan["Node Type"], *below] if plan.get("Relation Name") or "Scan" in plan["Node Type"] else below


class Plan(Struct, frozen=True):
    """How one question is answered."""

    question: str
    scans: tuple[str, ...]
    milliseconds: float
    rows: int

    @property
    def by_index(self) -> bool:
        """Whether the table is only ever reached through an index."""
        return bool(self.scans) and "Seq Scan" not in self.scans


async def plans(database: Database, tell: Callable[[str], None]) -> list[str]:
    """Ask what readers ask, of the middle of the log; lines of a table. Raises AssertionError for a sequential scan."""
    connection = await connect(database.url("reader"), "plans")
    head = await connection.fetchval("SELECT max(notification_id) FROM stored_events")
    middle = head // 2
    row = await connection.fetchrow(
        "SELECT originator_id, subject_id FROM stored_events WHERE notification_id = $1", middle
    )
    stream: UUID = row["originator_id"]
    asking = _Explaining(connection)
    questions: dict[str, Callable[[], Any]] = {
        "a stream": lambda: stream_rows(asking, stream),
        "a page from the middle": lambda: log_rows(asking, after=middle, limit=PAGE),
        "a page of one type": lambda: log_rows(asking, after=middle, limit=PAGE, topics=["UserRegistered"]),
        "a page of one type of stream": lambda: log_rows(asking, after=middle, limit=PAGE, stream_type="user"),
        "the events of a subject": lambda: log_rows(asking, after=0, limit=PAGE, subject_id=row["subject_id"]),
        "what is new at the end": lambda: log_rows(asking, after=head - 1, limit=PAGE),
    }
    lines = ["| Question | Plan | Rows | ms |", "|---|---|---|---|"]
    for question, ask in questions.items():
        await ask()
        rows = await ask()
        plan = Plan(question, tuple(asking.scans), asking.seconds * 1000, len(rows))
        tell(f"{question}: {', '.join(plan.scans)}")
        assert plan.by_index, f"{question} is answered by {plan.scans}"
        lines.append(f"| {question} | {', '.join(plan.scans)} | {plan.rows} | {plan.milliseconds:.2f} |")
    sizes = await database.query(
        "SELECT pg_table_size('stored_events') AS rows, pg_indexes_size('stored_events') AS indexes"
    )
    await connection.close()
    each = {name: sizes[0][name] / head for name in ("rows", "indexes")}
    lines += [
        "",
        f"{head:,} rows: {each['rows']:.0f} bytes each in the table and {each['indexes']:.0f} in its indexes.",
    ]
    return lines
