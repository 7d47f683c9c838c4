"""Events to stored bytes and back: short names, upcasting, personal fields sealed together.

A stored state is one JSON object: the event's clear fields and, where it has personal ones, `sealed`: base64 of a nonce
of 12 bytes and the AES-256-GCM box of the JSON object of the personal fields. The associated data are stream id,
version and topic, so that a box opens in its own place only.
"""

import base64
from functools import cache
from typing import Any, Final, get_type_hints
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import Struct
from msgspec.structs import fields

from events.event import Event, Metadata, Recorded, UnknownEvent, event_class
from events.keys import DataKey
from events.personal import FORGOTTEN, is_personal

__all__ = [
    "SealBroken",
    "decode",
    "encode",
    "has_personal_fields",
    "open_note",
    "personal_fields",
    "read_metadata",
    "seal_note",
    "write_metadata",
]


class SealBroken(ValueError):
    """What was sealed does not open: it was altered, or moved from another place."""


class _Envelope(Struct):
    sealed: bytes | None = None
    class_version: int = 1


class _Shape(Struct, frozen=True):
    """What decoding needs to know of a class, found once."""

    clear: tuple[str, ...]
    personal: tuple[str, ...]
    forgotten: bytes
    decoder: msgspec.json.Decoder[Event]
    class_version: int


NOT_AT_ITS_PLACE: Final = "A sealed part of the log does not open at its place: it was altered or moved."
_envelope = msgspec.json.Decoder(_Envelope)
_json = msgspec.json.Encoder()


@cache
def _shape(cls: type[Event]) -> _Shape:
    hints = get_type_hints(cls, include_extras=True)
    names = [field.name for field in fields(cls)]
    personal = tuple(name for name in names if is_personal(hints[name]))
    return _Shape(
        clear=tuple(name for name in names if name not in personal),
        personal=personal,
        forgotten=_json.encode(dict.fromkeys(personal, FORGOTTEN)),
        decoder=msgspec.json.Decoder(cls),
        class_version=cls.class_version,
    )


def has_personal_fields(cls: type[Event]) -> bool:
    """Whether events of this class need their subject's data key to be written and read."""
    return bool(_shape(cls).personal)


def personal_fields(cls: type[Event]) -> tuple[str, ...]:
    """The names of what is sealed in events of this class."""
    return _shape(cls).personal


def _place(stream_id: UUID, version: int, topic: str) -> bytes:
    return stream_id.bytes + version.to_bytes(8, "big") + topic.encode()


def encode(event: Event, stream_id: UUID, version: int, key: DataKey | None) -> tuple[str, bytes]:
    """(topic, state) of an event at its place. `key` is the subject's; an event without personal fields needs none.

    Raises ValueError for personal fields without a key, or ones that are forgotten already.
    """
    cls = type(event)
    shape = _shape(cls)
    state: dict[str, Any] = {
        name: value for name in shape.clear if (value := getattr(event, name)) is not msgspec.UNSET
    }
    if shape.class_version > 1:
        state["class_version"] = shape.class_version
    if shape.personal:
        if key is None:
            msg = f"{cls.__name__} has personal fields and needs the data key of its subject."
            raise ValueError(msg)
        personal = {name: getattr(event, name) for name in shape.personal}
        if FORGOTTEN in personal.values():
            msg = f"{cls.__name__} cannot be recorded with what was forgotten."
            raise ValueError(msg)
        box = key.seal(_json.encode(personal), _place(stream_id, version, cls.__name__))
        state["sealed"] = base64.b64encode(box).decode()
    return cls.__name__, _json.encode(state)


def decode(topic: str, state: bytes, stream_id: UUID, version: int, key: DataKey | None) -> Event:
    """The event of a stored state. Personal fields read as `Forgotten` when the subject's key is no more (`key` None).

    Raises `UnknownEvent` for a name or class version from the future, `SealBroken` for a box that does not open here.
    """
    cls = event_class(topic)
    shape = _shape(cls)
    if not shape.personal and shape.class_version == 1 and b'"class_version"' not in state:
        return shape.decoder.decode(state)
    try:
        envelope = _envelope.decode(state)
    except msgspec.MsgspecError:
        raise SealBroken(NOT_AT_ITS_PLACE) from None
    if envelope.class_version > shape.class_version:
        raise UnknownEvent(topic, envelope.class_version)
    if envelope.sealed is not None:
        personal = shape.forgotten if key is None else _open(key, envelope.sealed, _place(stream_id, version, topic))
        state = _spliced(personal, state)
    if envelope.class_version < shape.class_version:
        return _upcast(cls, shape, msgspec.json.decode(state), envelope.class_version)
    return shape.decoder.decode(state)


def _upcast(cls: type[Event], shape: _Shape, state: dict[str, Any], version: int) -> Event:
    while version < shape.class_version:
        getattr(cls, f"upcast_v{version}_v{version + 1}")(state)
        version += 1
    return shape.decoder.decode(_json.encode(state))


def _open(key: DataKey, box: bytes, place: bytes) -> bytes:
    try:
        return key.open(box, place)
    except (InvalidTag, ValueError):
        raise SealBroken(NOT_AT_ITS_PLACE) from None


def _spliced(first: bytes, second: bytes) -> bytes:
    """Two JSON objects as one."""
    if len(first) == 2:
        return second
    if len(second) == 2:
        return first
    return first[:-1] + b"," + second[1:]


def _margin(stream_id: UUID, version: int, what: str) -> bytes:
    return _place(stream_id, version, "metadata " + what)


def seal_note(note: Any, what: str, stream_id: UUID, version: int, key: DataKey) -> str:
    """What is personal in an event's metadata (`what`: "reason", "client"), sealed for the margin of that event."""
    return base64.b64encode(key.seal(_json.encode(note), _margin(stream_id, version, what))).decode()


def open_note(sealed: str | None, what: str, recorded: Recorded[Event], key: DataKey | None) -> Any:
    """What `seal_note` sealed; None where there is nothing, `FORGOTTEN` when the key is no more. Raises `SealBroken`."""
    if sealed is None:
        return None
    if key is None:
        return FORGOTTEN
    try:
        box = base64.b64decode(sealed, validate=True)
    except ValueError:
        raise SealBroken(NOT_AT_ITS_PLACE) from None
    return msgspec.json.decode(_open(key, box, _margin(recorded.stream_id, recorded.version, what)))


def write_metadata(metadata: Metadata) -> str:
    """The JSON text that is kept, and later hashed, byte for byte."""
    return _json.encode(metadata).decode()


_metadata = msgspec.json.Decoder(Metadata)


def read_metadata(text: str) -> Metadata:
    """What `write_metadata` wrote."""
    return _metadata.decode(text)
