"""Personal fields: declared in an event's type, sealed on disk, forgotten when their key is destroyed."""

from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

from msgspec import Struct

__all__ = ["FORGOTTEN", "Forgotten", "Personal", "is_personal"]


class Forgotten(Struct, frozen=True):
    """Stands where something personal stood, after the key that sealed it was destroyed."""

    forgotten: Literal[True] = True


FORGOTTEN: Final = Forgotten()


class _Sealed:
    """Marks a field that is sealed under the subject's data key."""


T = TypeVar("T")
Personal = Annotated[T | Forgotten, _Sealed()]


def is_personal(hint: Any) -> bool:
    """Whether a field's type, with its extras, was declared `Personal[…]`."""
    return get_origin(hint) is Annotated and any(isinstance(extra, _Sealed) for extra in get_args(hint)[1:])
