"""Tables for people at a terminal."""

from datetime import datetime, timedelta, timezone

import pytest

from api.tables import Table, cell


def test_columns_are_aligned_under_their_headings():
    assert Table("ID", "NAME").lines([["1", "Ada"], ["22", "Grace"]]) == ["ID  NAME", "1   Ada", "22  Grace"]


def test_headings_are_told_even_when_there_is_nothing():
    assert Table("ID", "NAME").lines([]) == ["ID  NAME"]


def test_later_lines_stand_under_the_first_ones_without_headings():
    table = Table("ID", "NAME")
    table.lines([["1", "Ada"]])
    assert table.lines([["2", "Grace"], ["333", "Joan"]]) == ["2   Grace", "333  Joan"]


def test_wide_letters_take_two_columns_and_marks_none():
    lines = Table("NAME", "X").lines([["山田", "1"], ["e\u0301va", "2"], ["Ada", "3"]])
    assert lines == ["NAME  X", "山田  1", "e\u0301va   2", "Ada   3"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (True, "yes"),
        (["auditor", "analyst"], "auditor, analyst"),
        ({"a": ["\x1b[2J"]}, '{"a":["\\u001b[2J"]}'),
        (datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))), "2026-03-01 12:00:00"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("two\nlines", "two\\nlines"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
    ],
    ids=str,
)
def test_a_cell_is_one_line_that_no_terminal_obeys(value, told):
    assert cell(value) == told
