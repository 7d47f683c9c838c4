"""The texts that would give a person away: what an erasure must leave nowhere."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from commands.addresses import address
from commands.errors import InvalidAddress
from events.codec import open_note, personal_fields, read_metadata
from events.event import Event, Recorded
from events.keys import DataKey
from projections.plain_text import plain

__all__ = ["Traces", "spellings", "traces_of"]

LEAST_CHARACTERS: Final = 4
"""What is shorter stands everywhere."""

OWN: Final = frozenset({"email", "picture_url", "external_id"})
COMMON: Final = frozenset({"locale", "time_zone"})
"""Fields that tell nobody from anybody."""


class Traces(Struct, frozen=True):
    """Texts in every spelling in which they are kept, in small letters.

    What is their `own` is nobody else's at the time, and looked for everywhere. What is `shared`, as names are and words in
    a note, is looked for in what is about them, since it may stand in what is about others with every right.
    """

    own: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()


def traces_of(history: Iterable[Recorded[Event]], key: DataKey | None) -> Traces:
    """What someone's events tell of them, the reasons included that were noted; nothing once the key is destroyed."""
    own: set[str] = set()
    shared: set[str] = set()
    for recorded in history:
        for name in personal_fields(type(recorded.event)):
            found = own if name in OWN else shared
            if name not in COMMON:
                for text in _texts(getattr(recorded.event, name)):
                    found |= spellings(text)
        sealed = read_metadata(recorded.metadata).sealed if recorded.metadata else None
        reason = open_note(sealed, "reason", recorded, key)
        for text in _texts(reason):
            shared |= spellings(text)
    return Traces(frozenset(own), frozenset(shared - own))


def spellings(text: str) -> set[str]:
    """A text as it may be kept: as it is, in plain letters, escaped in JSON and, for an address, in its canonical form."""
    found = {text, plain(text), json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]}
    if "@" in text:
        with contextlib.suppress(InvalidAddress):
            found.add(address(text).canonical)
    return {spelling.lower() for spelling in found if len(spelling) >= LEAST_CHARACTERS}


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value, the names of entries left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):  # an entry and its new value
        yield from _texts(value[1])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
