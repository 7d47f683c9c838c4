"""Metadata: entries of any JSON in two compartments, the user's own and the administrators'; what may be in them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from commands.errors import InvalidMetadata

__all__ = ["LARGEST", "MOST_ENTRIES", "MOST_NAME_CHARACTERS", "Changes", "merged", "replaced"]

MOST_ENTRIES: Final = 64
MOST_NAME_CHARACTERS: Final = 64
MOST_BYTES: Final = 8 * 1024
MOST_LEVELS: Final = 6
LARGEST: Final = 2**53

Changes = tuple[tuple[str, Any], ...]
"""Each entry that changed with its new value, by name; None where it is gone."""


def merged(entries: Mapping[str, Any], patch: Mapping[str, Any]) -> Changes:
    """What a merge patch (RFC 7396) changes. Raises `InvalidMetadata` when the result would not be allowed."""
    return _changes(entries, _patched(entries, patch))


def replaced(entries: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """What putting others in the place of all entries changes. Raises `InvalidMetadata` when they are not allowed."""
    return _changes(entries, _patched({}, new))


def _patched(entries: Any, patch: Any, levels: int = MOST_LEVELS) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    if levels == 0:
        raise InvalidMetadata
    result = dict(entries) if isinstance(entries, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _patched(result.get(name), value, levels - 1)
    return result


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    _check(after)
    return tuple(
        (name, after.get(name))
        for name in sorted({*before, *after})
        if not _same(before.get(name), after.get(name)) or (name in before) != (name in after)
    )


def _same(one: Any, other: Any) -> bool:
    """As JSON has it: 1 is not true."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def _check(entries: Mapping[str, Any]) -> None:
    if len(entries) > MOST_ENTRIES or not all(1 <= len(name) <= MOST_NAME_CHARACTERS for name in entries):
        raise InvalidMetadata
    _check_value(entries, MOST_LEVELS)
    if len(msgspec.json.encode(entries)) > MOST_BYTES:
        raise InvalidMetadata


def _check_value(value: Any, levels: int) -> None:
    if isinstance(value, int | float) and abs(value) > LARGEST:
        raise InvalidMetadata("Metadata hold numbers that every client can read: at most 2 to the power of 53.")
    if not isinstance(value, Mapping | list):
        return
    if levels == 0:
        raise InvalidMetadata
    for item in value.values() if isinstance(value, Mapping) else value:
        _check_value(item, levels - 1)
