"""What people call their passkeys, API keys and service accounts."""

from commands.display_names import display_name
from commands.errors import InvalidDisplayName, InvalidLabel

__all__ = ["label"]


def label(text: str) -> str:
    """A name for a thing, by the rules that those of people have. Raises `InvalidLabel`."""
    try:
        return display_name(text) or ""
    except InvalidDisplayName:
        raise InvalidLabel from None
