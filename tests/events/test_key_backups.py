"""A backup of keys is whole, or it is none."""

import pytest

from events.connections import connect
from events.key_backups import DataKeyLine, KeyBackupBroken, keys_of, lines_of


@pytest.fixture
async def lines(muster):
    """A backup of the keys of three people, of whom one is forgotten."""
    people = [await muster.registered(f"{name}@example.com") for name in ("ada", "bob", "carl")]
    await muster.database.query(
        "UPDATE data_keys SET wrapped = NULL, forgotten_at = clock_timestamp() WHERE subject_id = $1", people[1]
    )
    connection = await connect(muster.database.owner_url, "tests")
    told = b"".join([some async for some in lines_of(connection)])
    await connection.close()
    return told.splitlines(keepends=True)


def test_it_holds_every_key_and_every_tombstone(lines):
    header, kept = keys_of(lines)
    keys = [line for line in kept if isinstance(line, DataKeyLine)]
    assert header.epoch == 1
    assert header.position > 0
    assert [key.wrapped is None for key in sorted(keys, key=lambda key: key.subject_id)] == [False, True, False]


@pytest.mark.parametrize("cut", [0, 1, -1, -2])
def test_one_that_was_cut_off_is_none(lines, cut):
    with pytest.raises(KeyBackupBroken):
        list(keys_of(lines[:cut])[1])


def test_one_with_something_else_in_it_is_none(lines):
    for broken in ([b"\xff\n", *lines], [*lines[:2], b"{}\n", *lines[2:]], [*lines, lines[1]], [lines[0], *lines[2:]]):
        with pytest.raises(KeyBackupBroken):
            list(keys_of(broken)[1])
