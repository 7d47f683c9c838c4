"""The pure half of the engine: rows and events in, changed rows out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from events.event import Event, Recorded
from events.user import UserErased
from projections.causes import told
from projections.read_model import ReadModel, Row, Several

__all__ = ["BLOCKED", "Fact", "Folded", "Parked", "Unreadable", "fold", "fold_whole"]

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
    """What a batch did: keys all of whose rows are gone, rows to write after that, and events that were laid aside.

    Of keys that are `freed` nothing lies aside any more, whatever did before.
    """

    removed: set[UUID] = field(default_factory=set)
    freed: set[UUID] = field(default_factory=set)
    changed: list[R] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)


class _One(Generic[R]):
    """The only row of a key as it becomes, and what was applied to it last."""

    __slots__ = ("_evolve", "_position", "_row", "seen")

    def __init__(self, evolve: Callable[[R | None, Recorded[Any]], R | None], rows: Sequence[R], seen: int) -> None:
        self._evolve = evolve
        self._row = rows[0] if rows else None
        self._position = 0
        self.seen = max(seen, self._row.position) if self._row is not None else seen

    def apply(self, fact: Recorded[Event]) -> None:
        """Take one more fact, or raise what its evolve raises and stay as it was."""
        evolved = self._evolve(self._row, fact)
        if evolved is not self._row:
            self._row, self._position = evolved, fact.position

    @property
    def gone(self) -> bool:
        """Whether everything that was there before has to go."""
        return self._row is None and self._position > 0

    def written(self) -> list[R]:
        """The rows that changed, each with its position."""
        row, position = self._row, self._position
        return [replace(row, position=position)] if row is not None and position else []


class _Many(Generic[R]):
    """The rows of one key as they become: the open ones, and those to be written, with what was applied to them last."""

    __slots__ = ("_changed", "_evolve", "_model", "_open", "gone", "seen")

    def __init__(self, model: ReadModel[R], several: Several[R], rows: Sequence[R], seen: int) -> None:
        self._model = model
        self._evolve = several.evolve
        self._open = {model.identify(row): row for row in rows}
        self._changed: dict[Any, tuple[R, int]] = {}
        self.gone = False
        self.seen = max(seen, *(row.position for row in rows)) if rows else seen

    def apply(self, fact: Recorded[Event]) -> None:
        """Take one more fact, or raise what its evolve raises and stay as it was."""
        changes = self._evolve(tuple(self._open.values()), fact)
        if changes is None:
            self._open, self._changed, self.gone = {}, {}, True
            return
        model = self._model
        for row in tuple(changes):
            identity = model.identify(row)
            self._changed[identity] = row, fact.position
            if model.is_open(row):
                self._open[identity] = row
            else:
                self._open.pop(identity, None)

    def written(self) -> list[R]:
        """The rows that changed, each with its position."""
        return [replace(row, position=position) for row, position in self._changed.values()]


def _beginning(model: ReadModel[R]) -> Callable[[Sequence[R], int], _One[R] | _Many[R]]:
    """What a key's rows are folded in, made of the open ones and of what they have seen."""
    if isinstance(model.evolve, Several):
        return partial(_Many, model, model.evolve)
    return partial(_One, model.evolve)


def fold(
    model: ReadModel[R],
    rows: Mapping[UUID, Sequence[R]],
    facts: Iterable[Fact],
    blocked: Mapping[UUID, str],
    seen: Mapping[UUID, int] | None = None,
) -> Folded[R]:
    """Apply facts, in the order of the log, to the open rows of the keys that they touch.

    What a key has seen already, by the last position of its rows, is passed over; `seen` has it where closed rows may
    know more than open ones. A fact that cannot be read or applied is parked with its cause; so are later ones of the
    same key, and all of the keys that are `blocked`, for the reason given. But an erasure waits for nobody: it frees its key,
    of which nothing is left for what was parked to change.
    """
    folded: Folded[R] = Folded()
    begin = _beginning(model)
    groups: dict[UUID, _One[R] | _Many[R]] = {}
    stopped = dict(blocked)
    for fact in facts:
        key = fact.subject_id
        assert key is not None, "a batch holds events about someone"
        group = groups.get(key)
        if group is None:
            group = groups[key] = begin(rows.get(key, ()), seen.get(key, 0) if seen else 0)
        if fact.position <= group.seen:
            continue
        if (cause := stopped.get(key)) is not None:
            if not _erases(model, fact):
                folded.parked.append(Parked(fact.position, key, cause))
                continue
            del stopped[key]
            folded.freed.add(key)
            folded.parked = [event for event in folded.parked if event.key != key]
        try:
            if isinstance(fact, Unreadable):
                raise fact.error
            group.apply(fact)
        except Exception as error:  # noqa: BLE001 - whatever an evolve fails with, other keys go on
            stopped[key] = BLOCKED
            folded.parked.append(Parked(fact.position, key, told(error)))
    for key, group in groups.items():
        if group.gone and (key in rows or model.closed_by is not None):
            folded.removed.add(key)
        folded.changed += group.written()
    return folded


def _erases(model: ReadModel[Any], fact: Fact) -> bool:
    """Whether nothing is left of its key in this model after it, whatever was before."""
    return model.opens_seals and isinstance(fact, Recorded) and isinstance(fact.event, UserErased)


def fold_whole(model: ReadModel[R], facts: Iterable[Fact]) -> list[R]:
    """All rows of one key, open and closed, from everything that happened about it, in the order of the log.

    Events that the model does not take are passed over. Raises for the first one that cannot be read or applied, unless an
    erasure came after it.
    """
    taken = [fact for fact in facts if isinstance(fact, Unreadable) or type(fact.event) in model.takes]
    try:
        return _fold_all(model, taken)
    except Exception:
        erased = [number for number, fact in enumerate(taken) if _erases(model, fact)]
        if not erased:
            raise
        return _fold_all(model, taken[erased[-1] :])


def _fold_all(model: ReadModel[R], facts: Iterable[Fact]) -> list[R]:
    if not isinstance(model.evolve, Several):
        return _fold_one(model.evolve, facts)
    group = _Many(model, model.evolve, (), 0)
    for fact in facts:
        if isinstance(fact, Unreadable):
            raise fact.error
        group.apply(fact)
    return group.written()


def _fold_one(evolve: Callable[[R | None, Recorded[Any]], R | None], facts: Iterable[Fact]) -> list[R]:
    """The same where a key owns one row: rebuilds spend their time here."""
    row: R | None = None
    position = 0
    for fact in facts:
        if isinstance(fact, Unreadable):
            raise fact.error
        evolved = evolve(row, fact)
        if evolved is not row:
            row, position = evolved, fact.position
    return [] if row is None else [replace(row, position=position)]
