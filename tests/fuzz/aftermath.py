"""What must be true of a Muster after whatever it was asked."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from events.connections import connect
from events.event import Recorded
from events.store import head, read_log
from projections.folding import fold_whole
from projections.models import MODELS
from projections.read_model import ReadModel
from projections.rows import Rows
from tests.fuzz.house import House
from tests.support import until

__all__ = ["everything_wrong"]

AT_ONCE = 1_000


async def everything_wrong(house: House, secrets: set[str]) -> list[str]:
    """What is not as it must be; nothing, when all is well."""
    wrong = [*_logged(house, secrets)]
    connection = await connect(house.site.database.owner_url, "aftermath")
    try:
        history = await _history(house, connection)
        wrong += _out_of_order(history)
        for model in MODELS:
            wrong += await _differing(model, history, connection)
    finally:
        await connection.close()
    return wrong


def _logged(house: House, secrets: set[str]) -> Iterator[str]:
    lines = house.log
    if not lines:
        yield "Nothing was logged."
    for line in lines:
        if line["level"] == "error" or ((line.get("status") or 0) >= 500 and line["status"] != 503):
            yield f"This was logged: {line}"
    text = "\n".join(set(_texts(lines)))
    for secret in secrets:
        if secret in text:
            yield f"{secret!r} stands in the log."


def _texts(value: Any) -> Iterator[str]:
    """All that is text in it, names as well, and what is not as it is written."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


async def _history(house: House, connection: Any) -> list[Recorded[Any]]:
    """The whole log; raises for what cannot be decoded."""
    history: list[Recorded[Any]] = []
    while more := await read_log(
        connection, house.site.database.keys, after=history[-1].position if history else 0, limit=AT_ONCE
    ):
        history += more
    return history


def _out_of_order(history: list[Recorded[Any]]) -> Iterator[str]:
    positions = [recorded.position for recorded in history]
    if positions != list(range(1, len(history) + 1)):
        yield f"Positions are not 1 to {len(history)}."
    if (times := [recorded.recorded_at for recorded in history]) != sorted(times):
        yield "Time runs backwards along the log."
    versions: dict[UUID, int] = {}
    for recorded in history:
        versions[recorded.stream_id] = versions.get(recorded.stream_id, 0) + 1
        if recorded.version != versions[recorded.stream_id]:
            yield f"Position {recorded.position} is version {recorded.version} after {versions[recorded.stream_id] - 1}."


async def _differing(model: ReadModel[Any], history: list[Recorded[Any]], connection: Any) -> list[str]:
    """The rows that are not the fold of the log."""

    async def reached() -> bool:
        behind = "SELECT count(*) FROM checkpoints WHERE consumer = $1 AND position < $2"
        return not await connection.fetchval(behind, model.consumer, await head(connection))

    await until(reached)
    facts: dict[UUID, list[Recorded[Any]]] = {}
    for recorded in history:
        if recorded.subject_id is not None:
            facts.setdefault(recorded.subject_id, []).append(recorded)
    folded = {key: fold_whole(model, of_key) for key, of_key in facts.items()}
    served = await Rows(model).whole(connection, [*facts, *await _keys(model, connection)])
    expected = {key: {model.identify(row): row for row in rows} for key, rows in folded.items()}
    found = {key: {model.identify(row): row for row in rows} for key, rows in served.items()}
    return [
        f"{model.consumer} has {found.get(key)} instead of {expected.get(key)}."
        for key in expected.keys() | found.keys()
        if found.get(key, {}) != expected.get(key, {})
    ]


async def _keys(model: ReadModel[Any], connection: Any) -> list[UUID]:
    """Whoever is shown, also those of whom the log knows nothing."""
    return [row["key"] for row in await connection.fetch(f"SELECT {model.key} AS key FROM views.{model.consumer}")]
