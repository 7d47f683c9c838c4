"""The pure half of the engine: rows and events in, changed rows out."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from events.event import Event, Recorded
from projections.causes import told
from projections.read_model import ReadModel, Row

__all__ = ["BLOCKED", "Folded", "Parked", "Unreadable", "fold"]

R = TypeVar("R", bound=Row)

BLOCKED = "An earlier event of the same key is parked."


class Unreadable(Struct, frozen=True):
    """An event that could not be decoded."""

    position: int
    subject_id: UUID
    error: Exception


class Parked(Struct, frozen=True):
    """An event that a read model could not take, laid aside so that others go on."""

    position: int
    key: UUID
    cause: str


Fact: TypeAlias = Recorded[Event] | Unreadable


class Folded(Struct, Generic[R]):
    """What a batch did: rows to write, keys whose rows are gone, and events that were laid aside."""

    changed: dict[UUID, R] = field(default_factory=dict)
    removed: set[UUID] = field(default_factory=set)
    parked: list[Parked] = field(default_factory=list)


def fold(model: ReadModel[R], rows: Mapping[UUID, R], facts: Iterable[Fact], blocked: Mapping[UUID, str]) -> Folded[R]:
    """Apply facts, in the order of the log, to the rows that they touch.

    What a row has seen already (by its position) is passed over. A fact that cannot be read or applied is parked with its
    cause; so are later ones of the same key, and all of the keys that are `blocked`, for the reason given.
    """
    folded: Folded[R] = Folded()
    now: dict[UUID, R | None] = dict(rows)
    applied: dict[UUID, int] = {}
    stopped = dict(blocked)
    for fact in facts:
        key = fact.subject_id
        assert key is not None, "a batch holds events about someone"
        if (seen := rows.get(key)) is not None and fact.position <= seen.position:
            continue
        if (cause := stopped.get(key)) is not None:
            folded.parked.append(Parked(fact.position, key, cause))
            continue
        row = now.get(key)
        try:
            if isinstance(fact, Unreadable):
                raise fact.error
            evolved = model.evolve(row, fact)
        except Exception as error:  # noqa: BLE001 - whatever an evolve fails with, other keys go on
            stopped[key] = BLOCKED
            folded.parked.append(Parked(fact.position, key, told(error)))
            continue
        if evolved is not row:
            now[key], applied[key] = evolved, fact.position
    for key, position in applied.items():
        if (row := now[key]) is not None:
            folded.changed[key] = replace(row, position=position)
        elif key in rows:
            folded.removed.add(key)
    return folded
