"""Metadata: merged as RFC 7396 has it, replaced, and recorded as what changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.errors import InvalidMetadata
from commands.metadata import merged, replaced

names = st.sampled_from("abc")
values = st.recursive(
    st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
compartments = st.dictionaries(names, values, max_size=3)
patches = st.dictionaries(
    names, st.none() | values | st.dictionaries(names, st.none() | values, max_size=2), max_size=3
)


def after(before, changes):
    """The entries once these changes were recorded."""
    return {name: value for name, value in {**before, **dict(changes)}.items() if value is not None}


# From the RFC's appendix A, those that are about objects.
@pytest.mark.parametrize(
    ("before", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merges_as_the_rfc_has_it(before, patch, result):
    assert after(before, merged(before, patch)) == result


@settings(max_examples=300)
@given(compartments, compartments)
def test_replaces_all_there_is(before, new):
    assert after(before, replaced(before, new)) == new


@settings(max_examples=300)
@given(compartments, patches)
def test_records_what_changed_and_nothing_that_did_not(before, patch):
    changes = merged(before, patch)
    result = after(before, changes)
    assert {name for name, _ in changes} == {
        name for name in {*before, *result} if repr(before.get(name)) != repr(result.get(name))
    }
    assert merged(result, patch) == ()


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ([1], [True]), ({"a": 1}, {"a": True})])
def test_tells_numbers_from_truth(one, other):
    assert after({"a": one}, replaced({"a": one}, {"a": other})) == {"a": other}
    assert replaced({"a": one}, {"a": other}) != ()


def test_refuses_what_a_merge_would_make_too_large():
    before = {f"n{number}": "x" * 120 for number in range(60)}
    merged({}, before)
    with pytest.raises(InvalidMetadata):
        merged(before, {"more": "x" * 2000})
    merged(before, {"n0": None, "more": "x" * 100})
