"""What is taken for JSON, and what is told of its fields."""

import pytest
from msgspec import UNSET

from api.bodies import Body, invalid_fields, parsed, read
from api.fields import CHECKS, DisplayName, Email, Password
from api.profiles import ProfileBody
from api.reasons import InvalidFields, MalformedBody


class Form(Body, frozen=True):
    """A body with every kind of field."""

    email: Email
    password: Password
    display_name: DisplayName | None = None

    checks = CHECKS


GOOD = {"email": "ada@example.com", "password": "a horse, a staple, a battery"}


def pointers(document):
    return [error.pointer for error in invalid_fields(document, Form)]


def test_takes_an_object():
    assert (
        read(parsed(b'{"email": "ada@example.com", "password": "a horse, a staple"}'), Form).email == "ada@example.com"
    )


def test_brings_text_to_one_form():
    assert parsed('{"cafe\u0301": "e\u0301"}'.encode()) == {"caf\u00e9": "\u00e9"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{} {}",
        b"\xff\xfe{}",
        b'{"a": "\xc3\x28"}',
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        '{"\u00e9": 1, "e\u0301": 2}'.encode(),
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": -1e400}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * 17 + b"]" * 17,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        b"'a'",
        b'{"a": 01}',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_refuses_what_is_no_json_or_no_safe_json(raw):
    with pytest.raises(MalformedBody):
        parsed(raw)


def test_takes_sixteen_levels():
    assert parsed(b"[" * 16 + b"]" * 16)


@pytest.mark.parametrize("document", [None, 1, "text", True, [], [GOOD]], ids=str)
def test_refuses_what_is_no_object(document):
    with pytest.raises(InvalidFields) as refused:
        read(document, Form)
    assert [error.pointer for error in refused.value.errors] == [""]


def test_tells_all_that_is_wrong_at_once():
    assert pointers({"password": 5, "display_name": ["Ada"], "a/b~c": 1}) == [
        "/email",
        "/password",
        "/display_name",
        "/a~1b~0c",
    ]


def test_asks_the_rules_of_commands_only_for_fields_that_have_them():
    assert pointers({**GOOD, "password": "ada@example.com"}) == ["/password"]
    assert pointers({**GOOD, "display_name": None}) == []
    assert pointers(GOOD) == []


def test_never_tells_a_value():
    errors = invalid_fields({"email": "hunter2 at home", "password": "hunter2", "display_name": "\x01hunter2"}, Form)
    assert len(errors) == 3
    assert "hunter2" not in repr(errors)


def test_tells_of_no_more_than_twenty_unknown_fields():
    assert len(pointers({**GOOD, **{f"f{number}": 1 for number in range(1000)}})) == 20


def test_tells_what_is_null_from_what_is_left_out():
    assert read({}, ProfileBody).display_name is UNSET
    assert read({"display_name": None}, ProfileBody).display_name is None
