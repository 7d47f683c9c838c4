"""What an author of a read model writes: a table, a row, a key and an evolve, and nothing else."""

import copy
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar, get_args

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Index, MetaData, Table
from sqlalchemy.sql.elements import conv

from events.codec import has_personal_fields
from events.event import Event, Recorded
from events.user import UserErased

__all__ = ["ReadModel", "Row", "Several"]


class Row(Struct, frozen=True, kw_only=True):
    """What every row carries: the position of the last event that was applied to it, which the engine keeps."""

    position: int = 0


R = TypeVar("R", bound=Row)


class Several(Struct, Generic[R], frozen=True):
    """The evolve of a model whose keys own several rows.

    It is given the open rows of a key, in no order, and an event of that key; it answers with the rows that are new or changed, or with
    None when everything of the key is gone, whatever that was. `closed_by` names the column that is null while a row is
    open: no event changes a closed row any more, so that it need not be loaded, however many there are. Without it all
    rows stay open.
    """

    evolve: Callable[[Sequence[R], Recorded[Any]], Iterable[R] | None]
    closed_by: str | None = None


_INDEX_NAMES: Final = {"ix": "%(table_name)s_%(column_0_N_name)s_idx"}
"""With the version in them: names of indexes belong to the schema, where two versions of a table stand side by side."""


def _erasing(evolve: Callable[[R | None, Recorded[Any]], R | None] | Several[R]) -> Any:
    """The same, and nothing is left once somebody was erased: no author can forget it."""
    if isinstance(evolve, Several):
        return Several(_erasing(evolve.evolve), evolve.closed_by)  # type: ignore[arg-type] # takes rows where others take a row

    def erasing(before: Any, recorded: Recorded[Any]) -> Any:
        return None if isinstance(recorded.event, UserErased) else evolve(before, recorded)

    return erasing


class ReadModel(Generic[R]):
    """A table of rows, each the fold of one subject's events; `views.users_v1` for the users of version 1.

    `columns` are the fields of `row`, by name, without `position`; those of the primary key are the row's `identity`.
    `indexes`, which get their names here, are on more than one column or on some rows only.
    The column `key` holds the subject's id, by which rows are spread over partitions. `events` is the union that the model takes: all other events pass it by. `evolve` is pure:
    from the row, or none, and an event to the row, or none (or from rows to rows, as `Several` says); the events of one key come in the order of the log. What
    removes has to remove whatever is there, so that nothing is left when events are applied once more.
    An erasure removes everything of its key, without being in `events` and without evolve being asked, but where nothing personal is kept.

    With `opens_seals` false the model needs nothing personal: it reads as `Forgotten` from the start, and no key is fetched.
    Change `version` whenever the table or the meaning of its rows changes: the new table is filled from the log's beginning.
    """

    def __init__(
        self,
        name: str,
        version: int,
        *,
        columns: Sequence[Column[Any]],
        row: type[R],
        key: str,
        events: Any,
        evolve: Callable[[R | None, Recorded[Any]], R | None] | Several[R],
        indexes: Sequence[Index] = (),
        opens_seals: bool = True,
    ) -> None:
        self.name = name
        self.version = version
        self.view = self.consumer = f"{name}_v{version}"
        self.row = row
        self.key = key
        self.events: tuple[type[Event], ...] = get_args(events)
        self.opens_seals = opens_seals and any(map(has_personal_fields, self.events))
        self.evolve = evolve
        if self.opens_seals:
            self.events = tuple(dict.fromkeys((*self.events, UserErased)))
            self.evolve = _erasing(evolve)
        self.takes = frozenset(self.events)
        self.closed_by = evolve.closed_by if isinstance(evolve, Several) else None
        self.table = Table(
            self.consumer,
            MetaData(schema="views", naming_convention=_INDEX_NAMES),
            *columns,
            Column("position", BigInteger, nullable=False),
            *indexes,
            # Room beside each row for its next state: rows change often, and then no index has to be touched.
            postgresql_with={"fillfactor": 50},
        )
        if {column.name for column in self.table.columns} != set(row.__struct_fields__):
            msg = f"The columns of {self.consumer} are not the fields of {row.__name__}."
            raise TypeError(msg)
        self.identity = tuple(str(column.name) for column in self.table.primary_key)
        if not isinstance(evolve, Several) and self.identity != (key,):
            msg = f"A row of {self.consumer} is not all that its key owns: its evolve has to be one of several rows."
            raise TypeError(msg)
        if self.closed_by is not None:
            columns_of = self.table.columns
            Index(None, columns_of[key], postgresql_where=columns_of[self.closed_by].is_(None))
        self.identify: Callable[[R], Any] = attrgetter(*self.identity)

    def on(self, table: str) -> "ReadModel[R]":
        """The same model on another of its tables, `users_v2_1`; `view` stays the name for whichever of them serves."""
        if table == self.consumer:
            return self
        twin = copy.copy(self)
        twin.consumer = table
        twin.table = self.table.to_metadata(MetaData(schema="views", naming_convention=_INDEX_NAMES), name=table)
        for index in twin.table.indexes:
            if not str(index.name).startswith(f"{table}_"):
                index.name = conv(str(index.name).replace(self.consumer, table, 1))
        return twin

    def is_open(self, row: R) -> bool:
        """Whether an event may still change the row."""
        return self.closed_by is None or getattr(row, self.closed_by) is None
