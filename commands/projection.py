"""What a command knows of a read model: what was decided about its parked events, and what lies there now."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from commands.errors import NoSuchReadModel
from events.connections import Reading
from events.event import Recorded
from events.projection import ParkedEventDiscarded, ParkedEventsRetried, ProjectionEvent, RebuildAsked

__all__ = ["NOTHING_DECIDED", "Decisions", "evolve", "fold", "parked_key", "taken_in"]


class Decisions(Struct, frozen=True):
    """Which events a read model does without, and at which position retries were asked for last: for a user, or (None) for all."""

    discarded: frozenset[int] = frozenset()
    retried: Mapping[UUID | None, int] = {}


NOTHING_DECIDED: Final = Decisions()


def evolve(decisions: Decisions, recorded: Recorded[ProjectionEvent]) -> Decisions:
    """The decisions after one more."""
    match recorded.event:
        case ParkedEventsRetried(key=key):
            return replace(decisions, retried={**decisions.retried, key: recorded.position})
        case ParkedEventDiscarded(position=position):
            return replace(decisions, discarded=decisions.discarded | {position})
        case RebuildAsked():
            return decisions
        case unreachable:
            assert_never(unreachable)


def fold(history: Iterable[Recorded[Any]]) -> Decisions:
    """All that was decided about a read model."""
    return reduce(evolve, history, NOTHING_DECIDED)


# The tables of a read model carry its name, their version and, where they were built again, a number.
_TABLES: Final = "consumer ~ ('^' || $1 || '_v[0-9]+(_[0-9]+)?$')"


async def _require(pool: Reading, name: str) -> None:
    if not await pool.fetchval("SELECT EXISTS (SELECT FROM read_models WHERE name = $1)", name):
        raise NoSuchReadModel


async def parked_key(pool: Reading, name: str, position: int) -> UUID | None:
    """Whose event lies parked at a position in any table of a read model; None for no such event. Raises `NoSuchReadModel`."""
    await _require(pool, name)
    key: UUID | None = await pool.fetchval(
        f"SELECT key FROM parked_events WHERE {_TABLES} AND position = $2 LIMIT 1",  # noqa: S608 - made of constants
        name,
        position,
    )
    return key


async def taken_in(pool: Reading, name: str, key: UUID | None) -> int | None:
    """How far the partitions have come that have parked events of a user, or of anyone; None when nothing is parked.

    What was decided after that is still to be done. Raises `NoSuchReadModel`.
    """
    await _require(pool, name)
    position: int | None = await pool.fetchval(
        f"""SELECT max(checkpoints.position) FROM checkpoints JOIN parked_events USING (consumer, partition)
        WHERE {_TABLES} AND ($2::uuid IS NULL OR key = $2)""",  # noqa: S608 - made of constants
        name,
        key,
    )
    return position
