"""The part of a term by which it is looked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.seldom import seldom_part

SOME = [f"\n somebody\n someone.{number:08}@example.com" for number in range(0, 1_000_000, 5_003)]


@pytest.mark.parametrize(
    ("term", "part"),
    [
        ("someone.00719432", "0719432"),
        ("someone.00719432@example.com", "0719432@"),
        ("lovelace@example.com", "lovelace@"),
        ("lovelace", "lovelace"),
        ("example.com", "example.com"),
        ("ad", "ad"),
        ("", ""),
    ],
)
def test_is_what_hardly_anyone_has(term, part):
    assert seldom_part(term, SOME).startswith(part)
    assert seldom_part(term, []) == term


few_letters = st.text(st.sampled_from("ab.1"), max_size=12)


@given(few_letters, st.lists(few_letters, max_size=30))
def test_stands_in_whatever_the_term_stands_in(term, texts):
    assert seldom_part(term, texts) in term
    assert bool(seldom_part(term, texts)) == bool(term)
