"""SQLAlchemy Core says what is asked and is compiled once; asyncpg asks it.

Compiling costs as much as a small query does, and SQLAlchemy's own execution twice as much again.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import asyncpg
from sqlalchemy import Column, Executable, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import SQLCompiler

from events.connections import Reading

__all__ = ["Statement", "column_type", "ddl", "given"]

_dialect: Final[Dialect] = cast("Callable[[], Dialect]", postgresql.asyncpg.dialect)()


class Statement:
    """A statement whose text and order of arguments are known; values are given by the names of its bind parameters.

    Raises TypeError where the text would depend on the values, as with `in_()`: say `column == any_(array)`.
    """

    __slots__ = ("_binds", "sql")

    def __init__(self, clause: Executable) -> None:
        compiled = clause.compile(dialect=_dialect)  # type: ignore[attr-defined] # every statement of Core has it
        assert isinstance(compiled, SQLCompiler)
        if compiled.post_compile_params or compiled.literal_execute_params:
            msg = f"The text of this statement depends on its values: {compiled.string}"
            raise TypeError(msg)
        self.sql: str = compiled.string
        self._binds = [_Bind(name, compiled.binds[name]) for name in compiled.positiontup or ()]

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """What asyncpg is given for these values. Raises KeyError for one that is missing."""
        return [bind.argument(values) for bind in self._binds]

    async def fetch(self, connection: Reading, **values: Any) -> list[asyncpg.Record]:
        """All rows; JSON comes as text."""
        rows: list[asyncpg.Record] = await connection.fetch(self.sql, *self.arguments(values))
        return rows

    async def fetchrow(self, connection: Reading, **values: Any) -> asyncpg.Record | None:
        """The first row, if there is one."""
        return await connection.fetchrow(self.sql, *self.arguments(values))

    async def execute(self, connection: Reading, **values: Any) -> None:
        """Do it, and expect no rows."""
        await connection.execute(self.sql, *self.arguments(values))


class _Bind:
    """A parameter at its place, with the value that the statement itself gave it, and what SQLAlchemy does to values."""

    __slots__ = ("default", "name", "process", "required")

    def __init__(self, name: str, bind: Any) -> None:
        self.name = name
        self.required: bool = bind.required
        self.default = bind.effective_value
        self.process: Callable[[Any], Any] | None = bind.type.dialect_impl(_dialect).bind_processor(_dialect)

    def argument(self, values: dict[str, Any]) -> Any:
        value = values[self.name] if self.required else values.get(self.name, self.default)
        return value if self.process is None else self.process(value)


def ddl(element: ExecutableDDLElement) -> str:
    """The text of a CREATE or DROP."""
    return str(element.compile(dialect=_dialect))


def column_type(column: Column[Any]) -> str:
    """The type of a column as PostgreSQL calls it."""
    return column.type.compile(dialect=_dialect).partition(" COLLATE")[0].lower()


def given(name: str, type_: Any) -> Any:
    """A value that each call gives."""
    return bindparam(name, type_=type_, required=True)
