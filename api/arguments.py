"""Arguments and options that operators' commands share."""

import sys
import unicodedata
from datetime import datetime
from typing import Any

import click

__all__ = [
    "Entries",
    "Moment",
    "Term",
    "Text",
    "all_option",
    "dry_run_option",
    "json_option",
    "limit_option",
    "reason_option",
    "user_argument",
]


class Text(click.ParamType[str]):
    """Text in NFC, as bodies have it; of a size that a field of theirs has: `Text("Reason")` is `api.fields.Reason`."""

    name = "text"

    def __init__(self, field: str | None = None) -> None:
        self._field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, unless it is not UTF-8 or has not the size."""
        import msgspec

        from api import fields

        try:
            value.encode()
            text = unicodedata.normalize("NFC", value)
            return text if self._field is None else msgspec.convert(text, getattr(fields, self._field))
        except UnicodeEncodeError:
            self.fail("This is not UTF-8.", param, ctx)
        except msgspec.ValidationError as error:
            self.fail(f"{str(error).replace('`', '')}.", param, ctx)


class Entries(click.ParamType[dict[str, Any]]):
    """A JSON object; `-` reads it from standard input."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """The object, by the rules that bodies have: each name once, finite numbers, text in NFC."""
        from api.bodies import parsed
        from api.reasons import MalformedBody

        try:
            entries = parsed(sys.stdin.buffer.read() if value == "-" else value.encode(errors="surrogateescape"))
        except MalformedBody:
            self.fail("This is not JSON in UTF-8 with each name once.", param, ctx)
        if not isinstance(entries, dict):
            self.fail("This must be an object.", param, ctx)
        return entries


class Moment(click.ParamType[datetime]):
    """A time with its zone (RFC 3339), as the API takes it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time, in UTC."""
        from api.user_filters import moment

        try:
            return moment(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Term(Text):
    """Text to search for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, unless there is nothing in it, or too much."""
        from queries.user_filters import MOST_SEARCHED

        text = super().convert(value, param, ctx)
        if not text.strip() or len(text) > MOST_SEARCHED:
            self.fail(f"This is text of 1 to {MOST_SEARCHED} characters.", param, ctx)
        return text


user_argument = click.argument("user", metavar="USER")

reason_option = click.option(
    "--reason", type=Text("Reason"), metavar="TEXT", help="Why, for the history; sealed, like all that is personal."
)

dry_run_option = click.option("--dry-run", is_flag=True, help="Tell what would be recorded, and record nothing.")

json_option = click.option("--json", is_flag=True, help="Print JSON, one document a line, for programs.")

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many lines at most."
)

all_option = click.option("--all", "everything", is_flag=True, help="Every line that there is, in place of --limit.")
