"""Arguments and options that operators' commands share."""

import sys
import unicodedata
from typing import Any

import click

__all__ = ["Entries", "Text", "all_option", "json_option", "limit_option", "reason_option", "user_argument"]


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


user_argument = click.argument("user", metavar="USER")

reason_option = click.option(
    "--reason", type=Text("Reason"), metavar="TEXT", help="Why, for the history; sealed, like all that is personal."
)

json_option = click.option("--json", is_flag=True, help="Print JSON, one document a line, for programs.")

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many lines at most."
)

all_option = click.option("--all", "everything", is_flag=True, help="Every line that there is, in place of --limit.")
