"""What a view for analysts is: who reads it, what its columns mean, and the statements that make it."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

__all__ = ["PEOPLE", "PERSONAL", "SUMS", "Column", "Published"]

Audience = Literal["sums", "people", "personal"]
SUMS: Final = "sums"
PEOPLE: Final = "people"
PERSONAL: Final = "personal"


class Column(Struct, frozen=True):
    """A column, what it means and, unless it is the table's of this name, how it is computed."""

    name: str
    meaning: str
    is_: str | None = None


class Published(Struct, frozen=True, kw_only=True):
    """A view, over the tables that serve some read models, which stand in `source` as `{users}`.

    `audience` are analysts who see sums over people, who see single people by their ids, or who see what is personal. Columns
    are only added at the end, so that what analysts have built goes on.
    """

    name: str
    meaning: str
    audience: Audience
    of: tuple[str, ...]
    columns: tuple[Column, ...]
    source: str

    def statement(self, serving: Mapping[str, str]) -> str:
        """The text that makes or replaces it, over these tables.

        A barrier: no condition of whoever asks is looked at before the view has left out what it leaves out.
        """
        tables = {model: f"views.{serving[model]}" for model in self.of}
        names = {f"{model}_name": serving[model] for model in self.of}
        columns = ",\n    ".join(f"{column.is_ or column.name} AS {column.name}" for column in self.columns)
        text = f"SELECT\n    {columns}\n{self.source}".format(**tables, **names)
        return f"CREATE OR REPLACE VIEW analytics.{self.name} WITH (security_barrier = true) AS\n{text}"

    def comments(self) -> Iterator[str]:
        """The texts that say in the database what everything means."""
        yield f"COMMENT ON VIEW analytics.{self.name} IS {_literal(self.meaning)}"
        for column in self.columns:
            yield f"COMMENT ON COLUMN analytics.{self.name}.{column.name} IS {_literal(column.meaning)}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
