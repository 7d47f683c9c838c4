"""What may be a time zone: a name of the IANA database."""

from functools import cache
from zoneinfo import available_timezones

from commands.errors import InvalidTimeZone

__all__ = ["time_zone"]


def time_zone(text: str) -> str:
    """The name as the database has it. Raises `InvalidTimeZone`."""
    try:
        return _names()[text.lower()]
    except KeyError:
        raise InvalidTimeZone from None


@cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}
