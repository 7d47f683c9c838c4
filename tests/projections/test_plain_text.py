"""What is left out when text is searched and sorted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.plain_text import plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "aDA"),
        ("É", "é"),
        ("José Müller", "jose MULLER"),
        ("e\u0301", "é"),
        ("İstanbul", "istanbul"),
        ("IŞIK", "ışık"),
        ("Straße", "STRASSE"),
        ("Ｆｕｌｌ", "full"),
        ("ﬁn", "fin"),
        ("ΣΟΦΟΣ", "σοφός"),
        ("Йосиф", "йосиф"),
        ("a\u200db", "ab"),
        ("\u202eab", "ab"),
        (" a \t b\u00a0", "a b"),
    ],
)
def test_takes_two_texts_for_one(one, other):
    assert plain(one) == plain(other)


@pytest.mark.parametrize(("one", "other"), [("が", "か"), ("ø", "o"), ("한", "하"), ("a.b", "ab"), ("क", "कि")])
def test_leaves_apart_what_are_different_letters(one, other):
    assert plain(one) != plain(other)


@given(st.text())
def test_changes_nothing_that_is_plain_already(text):
    once = plain(text)
    assert plain(once) == once
    assert "\n" not in once
