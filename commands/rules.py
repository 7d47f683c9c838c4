"""What the operator decided, as commands ask for it."""

from typing import Any, Final

from msgspec.structs import fields

from commands.unit import Rules
from events.keys import derived

__all__ = ["rules"]

KEYS: Final = ("claims", "links", "devices")


def rules(secret: bytes, settings: object) -> Rules:
    """The rules of an installation: a key for each purpose out of its one secret, and the settings that are named alike."""
    known: dict[str, Any] = {f"{purpose}_key": derived(secret, purpose) for purpose in KEYS}
    known |= {field.name: getattr(settings, field.name) for field in fields(Rules) if field.name not in known}
    return Rules(**known)
