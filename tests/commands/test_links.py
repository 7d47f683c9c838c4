from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from commands.errors import InvalidLink, LinkExpired
from commands.links import FIRST_ADMINISTRATOR, VERIFY_EMAIL, Link, link_token, read_link
from tests.support import NOON

KEY = b"k" * 32
STREAM = uuid7()
TOKEN = link_token(KEY, VERIFY_EMAIL, STREAM, 3, NOON + timedelta(hours=1))


def test_tells_what_it_answers():
    assert read_link(KEY, VERIFY_EMAIL, TOKEN, NOON) == Link(STREAM, 3)


def test_the_same_facts_give_the_same_token():
    assert link_token(KEY, VERIFY_EMAIL, STREAM, 3, NOON + timedelta(hours=1)) == TOKEN


def test_expires():
    with pytest.raises(LinkExpired):
        read_link(KEY, VERIFY_EMAIL, TOKEN, NOON + timedelta(hours=1))


def test_serves_no_other_purpose():
    with pytest.raises(InvalidLink):
        read_link(KEY, FIRST_ADMINISTRATOR, TOKEN, NOON)


def test_needs_the_key():
    with pytest.raises(InvalidLink):
        read_link(b"x" * 32, VERIFY_EMAIL, TOKEN, NOON)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABCDEFGHabcdefgh0123456789-_"))
def test_nothing_in_it_can_be_changed(index, character):
    forged = TOKEN[:index] + character + TOKEN[index + 1 :]
    if forged[:-1] != TOKEN[:-1]:
        with pytest.raises((InvalidLink, LinkExpired)):
            read_link(KEY, VERIFY_EMAIL, forged, NOON)


@given(st.text())
def test_nonsense_is_no_link(text):
    with pytest.raises(InvalidLink):
        read_link(KEY, VERIFY_EMAIL, text, NOON)
