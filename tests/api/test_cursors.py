"""Cursors."""

from uuid import UUID, uuid4

import pytest

from api.cursors import cursor, read_cursor
from api.reasons import InvalidCursor

KEY = b"k" * 32
SCOPE = ("users", "ada")


def test_gives_back_the_place():
    place = uuid4()
    assert read_cursor(KEY, SCOPE, cursor(KEY, SCOPE, place), UUID) == place
    assert read_cursor(KEY, SCOPE, cursor(KEY, SCOPE, 7), int) == 7


def test_is_good_for_its_caller_and_its_list_alone():
    made = cursor(KEY, SCOPE, 7)
    for key, scope in ((b"x" * 32, SCOPE), (KEY, ("users", "eve")), (KEY, ("events", "ada")), (KEY, ("users",))):
        with pytest.raises(InvalidCursor):
            read_cursor(key, scope, made, int)


def test_cannot_be_altered_by_a_letter():
    made = cursor(KEY, SCOPE, 7)
    for place in range(len(made)):
        for letter in "AB_":
            changed = made[:place] + letter + made[place + 1 :]
            if changed != made:
                with pytest.raises(InvalidCursor):
                    read_cursor(KEY, SCOPE, changed, int)


@pytest.mark.parametrize("text", ["", "x", "====", "é", "A" * 5000, "a b", "\0"])
def test_refuses_what_is_none(text):
    with pytest.raises(InvalidCursor):
        read_cursor(KEY, SCOPE, text, int)


def test_refuses_the_place_of_another_kind():
    with pytest.raises(InvalidCursor):
        read_cursor(KEY, SCOPE, cursor(KEY, SCOPE, "x"), int)
