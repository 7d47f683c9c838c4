import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any, ClassVar, get_args, get_type_hints
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid4

from events import user
from events.codec import SealBroken, decode, encode, has_personal_fields, open_note, seal_note
from events.event import Event, Recorded, UnknownEvent, event_class, event_classes
from events.keys import DataKey
from events.personal import FORGOTTEN, Forgotten, Personal
from tests.events.examples import EXAMPLES, KEY, STREAM, VERSION, recorded_lines
from tests.support import NOON

OURS = event_classes()


class Renamed(Event, frozen=True):
    """An event of this test, in its third shape."""

    class_version: ClassVar[int] = 3
    name: Personal[str]
    colour: str

    @staticmethod
    def upcast_v1_v2(state: dict[str, object]) -> None:
        state["colour"] = "red"

    @staticmethod
    def upcast_v2_v3(state: dict[str, object]) -> None:
        state["colour"] = f"dark {state['colour']}"


def test_every_event_has_an_example_and_a_recorded_line():
    assert EXAMPLES.keys() == OURS.keys()
    assert {f"{name}@{cls.class_version}" for name, cls in OURS.items()} <= recorded_lines().keys()


@pytest.mark.parametrize("name", sorted(recorded_lines()))
def test_a_recorded_line_decodes_for_ever(name):
    line = recorded_lines()[name]
    decoded = decode(line["topic"], line["state"].encode(), STREAM, VERSION, KEY)
    assert decoded == EXAMPLES[line["topic"]]


@pytest.mark.parametrize("name", sorted(OURS))
def test_an_event_is_written_in_the_shape_that_was_recorded(name):
    _, state = encode(EXAMPLES[name], STREAM, VERSION, KEY)
    line = json.loads(recorded_lines()[f"{name}@{OURS[name].class_version}"]["state"])
    assert {**json.loads(state), "sealed": None} == {**line, "sealed": None}
    assert ("sealed" in line) == has_personal_fields(OURS[name])


def anything(cls: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of a class; nothing that is forgotten is ever written."""
    hints = get_type_hints(cls)
    json_values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.lists(st.text())
    values = {
        str: st.text(),
        int: st.integers(1, 2**62),
        bool: st.booleans(),
        str | None: st.none() | st.text(),
        UUID: st.uuids(),
        UUID | None: st.none() | st.uuids(),
        datetime: st.datetimes(timezones=st.just(UTC)),
        datetime | None: st.none() | st.datetimes(timezones=st.just(UTC)),
        tuple[str, ...]: st.lists(st.text()).map(tuple),
        Mapping[str, tuple[datetime, ...]] | msgspec.UnsetType: st.just(msgspec.UNSET)
        | st.dictionaries(st.text(), st.lists(st.datetimes(timezones=st.just(UTC))).map(tuple), min_size=1),
        tuple[tuple[str, Any], ...]: st.lists(st.tuples(st.text(), json_values)).map(tuple),
    }
    kinds = {name: remembered(hint) for name, hint in hints.items() if name in cls.__struct_fields__}
    return st.builds(cls, **{name: values[kind] for name, kind in kinds.items()})


def remembered(hint: Any) -> Any:
    """A field's type without `Forgotten`."""
    if Forgotten not in get_args(hint):
        return hint
    return reduce(or_, [kind for kind in get_args(hint) if kind is not Forgotten])


@pytest.mark.parametrize("cls", OURS.values(), ids=OURS)
@given(data=st.data(), version=st.integers(1, 2**62))
@settings(max_examples=25)
def test_every_event_comes_back_as_it_was(cls, data, version):
    event = data.draw(anything(cls))
    stream = uuid4()
    topic, state = encode(event, stream, version, KEY)
    assert decode(topic, state, stream, version, KEY) == event


def test_what_is_sealed_opens_nowhere_else():
    topic, state = encode(EXAMPLES["DisplayNameChanged"], STREAM, 7, KEY)
    for stream, version, name in ((uuid4(), 7, topic), (STREAM, 8, topic), (STREAM, 7, "UserRegistered")):
        with pytest.raises(SealBroken):
            decode(name, state, stream, version, KEY)
    with pytest.raises(SealBroken):
        decode(topic, state, STREAM, 7, DataKey(uuid4(), b"x" * 32))
    for more in (b"AAAA", b"A", b"!"):
        with pytest.raises(SealBroken):
            decode(topic, state.replace(b'"sealed":"', b'"sealed":"' + more), STREAM, 7, KEY)


def test_what_was_forgotten_reads_as_forgotten():
    topic, state = encode(EXAMPLES["UserRegistered"], STREAM, 1, KEY)
    event = decode(topic, state, STREAM, 1, None)
    assert event == user.UserRegistered(FORGOTTEN, FORGOTTEN, FORGOTTEN)
    assert msgspec.json.encode(event).count(b'{"forgotten":true}') == 3


def test_what_was_forgotten_is_not_recorded_again():
    with pytest.raises(ValueError, match="forgotten"):
        encode(user.DisplayNameChanged(Forgotten()), STREAM, 1, KEY)


def test_personal_fields_need_a_key():
    with pytest.raises(ValueError, match="needs the data key"):
        encode(EXAMPLES["DisplayNameChanged"], STREAM, 1, None)


def test_an_unknown_name_is_an_error_that_names_it():
    with pytest.raises(UnknownEvent, match="'os:system'"):
        decode("os:system", b"{}", STREAM, 1, None)


@pytest.mark.parametrize("topic", ["EmailVerified", "UserRegistered"])
def test_a_version_from_the_future_is_an_error_that_names_it(topic):
    with pytest.raises(UnknownEvent, match=f"version 2 of event '{topic}'"):
        decode(topic, b'{"class_version":2}', STREAM, 1, KEY)


def test_an_older_version_is_brought_up():
    _, state = encode(Renamed("Ada", "dark red"), STREAM, 1, KEY)
    first = {key: value for key, value in json.loads(state).items() if key == "sealed"}
    assert decode("Renamed", json.dumps(first).encode(), STREAM, 1, KEY) == Renamed("Ada", "dark red")
    second = {**first, "class_version": 2, "colour": "blue"}
    assert decode("Renamed", json.dumps(second).encode(), STREAM, 1, KEY) == Renamed("Ada", "dark blue")
    assert decode("Renamed", state, STREAM, 1, KEY) == Renamed("Ada", "dark red")
    assert decode("Renamed", state, STREAM, 1, None) == Renamed(FORGOTTEN, "dark red")


def test_a_note_in_the_margin_opens_at_its_event_only():
    sealed = seal_note("she married", "reason", STREAM, 2, KEY)
    recorded = Recorded(EXAMPLES["EmailVerified"], 9, STREAM, "user", 2, STREAM, NOON)
    assert open_note(sealed, "reason", recorded, KEY) == "she married"
    assert open_note(sealed, "reason", recorded, None) == FORGOTTEN
    assert open_note(None, "reason", recorded, KEY) is None
    elsewhere = msgspec.structs.replace(recorded, version=3)
    for what, place in (("reason", elsewhere), ("client", recorded)):
        with pytest.raises(SealBroken):
            open_note(sealed, what, place, KEY)


def test_two_events_cannot_have_one_name():
    with pytest.raises(TypeError, match="two events named EmailVerified"):
        type("EmailVerified", (Event,), {"__doc__": "Another."})


def test_every_event_says_what_happened():
    for cls in OURS.values():
        assert cls.__doc__
        assert event_class(cls.__name__) is cls
