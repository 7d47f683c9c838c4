import pytest

from commands.addresses import claim_key
from commands.errors import InvalidExternalId
from commands.external_ids import external_id, external_key


@pytest.mark.parametrize("text", ["4711", "crm:4711", "a b", "x" * 255, "Jos\u00e9", "\U0001f40e", "AbC"])
def test_takes_an_id_as_it_is(text):
    assert external_id(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", " 4711", "4711\n", "x" * 256, "a\0b", "a\nb", "a\u2028b", "a\u202eb", "a\u200bb", "\ud800", "\u00a04711"],
)
def test_refuses_what_cannot_be_seen_and_what_has_no_end(text):
    with pytest.raises(InvalidExternalId):
        external_id(text)


def test_two_ids_are_one_when_they_are_the_same_to_the_letter():
    assert external_id("Jose\u0301") == external_id("Jos\u00e9")
    assert external_key(b"k", "AbC") != external_key(b"k", "abc")
    assert external_key(b"k", "ada@example.com") != claim_key(b"k", "ada@example.com")
