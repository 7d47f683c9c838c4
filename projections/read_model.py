"""What an author of a read model writes: a table, a row, a key and an evolve, and nothing else."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar, get_args

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Index, MetaData, Table

from events.event import Event, Recorded

__all__ = ["ReadModel", "Row"]


class Row(Struct, frozen=True, kw_only=True):
    """What every row carries: the position of the last event that was applied to it, which the engine keeps."""

    position: int = 0


R = TypeVar("R", bound=Row)

_INDEX_NAMES: Final = {"ix": "%(table_name)s_%(column_0_N_name)s_idx"}
"""With the version in them: names of indexes belong to the schema, where two versions of a table stand side by side."""


class ReadModel(Generic[R]):
    """A table of rows, each the fold of one subject's events; `views.users_v1` for the users of version 1.

    `columns` are the fields of `row`, by name, without `position`; `indexes`, which get their names here, are on more than
    one of them or on some rows only.
    The column `key` holds the subject's id, by which rows are spread over partitions. `events` is the union that the model takes: all other events pass it by. `evolve` is pure:
    from the row, or none, and an event to the row, or none; the events of one row come in the order of the log. What
    removes a row has to remove it whatever it holds, so that nothing is left when events are applied once more.

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
        evolve: Callable[[R | None, Recorded[Any]], R | None],
        indexes: Sequence[Index] = (),
    ) -> None:
        self.name = name
        self.consumer = f"{name}_v{version}"
        self.row = row
        self.key = key
        self.evolve = evolve
        self.events: tuple[type[Event], ...] = get_args(events)
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
