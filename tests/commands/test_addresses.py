import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import addresses
from commands.addresses import address, claim_key
from commands.errors import InvalidAddress

TWINS = [
    ("ada@example.com", "ADA@EXAMPLE.COM"),
    ("ad\u00e1@example.com", "ada\u0301@example.com"),
    ("\u0130@example.com", "i\u0307@example.com"),
    ("ada@ex\u00e4mple.com", "ada@xn--exmple-cua.com"),
    ("ada@example.com", "ada@\uff45xample.com"),
]
STRANGERS = [
    ("stra\u00dfe@example.com", "strasse@example.com"),
    ("ada@example.com", "ada+1@example.com"),
    ("ada@example.com", "a.da@example.com"),
    ("i@example.com", "\u0131@example.com"),
    ("i@example.com", "\u0130@example.com"),
    ("\u0131@example.com", "\u0130@example.com"),
]
NO_ADDRESSES = [
    "",
    "ada",
    "ada@localhost",
    "a@b.example,c@d.example",
    "ada@example.com\n",
    "ada@example.com\0",
    "=?utf-8?q?ada?=@example.com",
    "x" * 65 + "@example.com",
    "ada@[127.0.0.1]",
    '"ada ada"@example.com',
    "Ada <ada@example.com>",
]


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_two_spellings_are_one_address(one, other):
    assert address(one).canonical == address(other).canonical


@pytest.mark.parametrize(("one", "other"), STRANGERS)
def test_two_addresses_are_two(one, other):
    assert address(one).canonical != address(other).canonical


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_refuses_what_mail_cannot_be_sent_to(text):
    with pytest.raises(InvalidAddress):
        address(text)


def test_mail_goes_to_the_address_as_it_was_written():
    assert address("Ada.Lovelace@example.com").written == "Ada.Lovelace@example.com"


@given(st.emails())
def test_canonical_form_is_its_own(text):
    try:
        canonical = address(text).canonical
    except InvalidAddress:
        return
    assert address(canonical).canonical == canonical


def test_a_claim_says_nothing_without_the_secret():
    assert claim_key(b"one", "ada@example.com") != claim_key(b"other", "ada@example.com")
    assert claim_key(b"one", "ada@example.com", "realm") != claim_key(b"one", "ada@example.com")


@settings(max_examples=1000)
@given(st.from_regex(addresses._PLAIN, fullmatch=True))
def test_what_is_plain_is_taken_for_what_a_closer_look_takes_it_for(text):
    assert address(text) == addresses._any_address(text)


@pytest.mark.parametrize(
    "text", ["a@b.local", "a@localhost", "a@b.invalid", "a@b..example", ".a@b.example", "a@b-.example"]
)
def test_what_is_not_quite_plain_is_looked_at_closely(text):
    with pytest.raises(InvalidAddress):
        address(text)
