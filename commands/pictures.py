"""What may be the URL of a picture. Muster never fetches it."""

from typing import Final
from urllib.parse import urlsplit

from commands.errors import InvalidPicture

__all__ = ["picture_url"]

MOST_CHARACTERS: Final = 2048


def picture_url(text: str) -> str:
    """The URL as it was given. Raises `InvalidPicture` for what is not plainly one."""
    if len(text) > MOST_CHARACTERS or not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|}'):
        raise InvalidPicture
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise InvalidPicture from None
    if parts.scheme != "https" or not host or parts.username is not None or parts.password is not None:
        raise InvalidPicture
    return text
