"""Arguments and options that operators' commands share."""

import unicodedata
from typing import Any

import click

__all__ = ["Field", "all_option", "json_option", "limit_option", "reason_option", "user_argument"]


class Field(click.ParamType[str]):
    """What a field of the API's bodies takes: `Field("Locale")` is `api.fields.Locale`."""

    def __init__(self, field: str) -> None:
        self.name = field.lower()
        self._field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text in NFC, as a body would have it."""
        import msgspec

        from api import fields

        try:
            value.encode()
            text: str = msgspec.convert(unicodedata.normalize("NFC", value), getattr(fields, self._field))
        except UnicodeEncodeError:
            self.fail("This is not UTF-8.", param, ctx)
        except msgspec.ValidationError as error:
            self.fail(f"{str(error).replace('`', '')}.", param, ctx)
        return text


user_argument = click.argument("user", metavar="USER")

reason_option = click.option(
    "--reason", type=Field("Reason"), metavar="TEXT", help="Why, for the history; sealed, like all that is personal."
)

json_option = click.option("--json", is_flag=True, help="Print JSON, one document a line, for programs.")

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many lines at most."
)

all_option = click.option("--all", "everything", is_flag=True, help="Every line that there is, in place of --limit.")
