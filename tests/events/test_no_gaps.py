"""The short form of `make torture`."""

from tests.torture.log import compare, torture_log


async def test_nothing_is_lost_skipped_or_reordered_under_kills(database):
    report = await torture_log(database, events=30_000)
    assert report.faults == []
    assert report.events >= 30_000
    assert report.kills > 0
    assert report.vacuums > 0


def test_the_comparison_finds_what_it_is_there_to_find():
    rows = [{"notification_id": n, "command": c} for n, c in ((1, "a"), (2, "a"), (3, "b"))]
    assert compare(rows, {"a": (2, 2), "b": (3, 1)}) == []
    assert compare(rows, {"a": (2, 2), "b": (3, 1), "c": (4, 1)}) != []
    assert compare(rows, {"a": (2, 2)}) != []
    assert compare(rows, {"a": (2, 1), "b": (3, 1)}) != []
    assert compare([*rows, {"notification_id": 5, "command": "d"}], {"a": (2, 2), "b": (3, 1), "d": (5, 1)}) != []
