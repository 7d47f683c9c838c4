"""Keys that were fetched are at hand, however many others are."""

import asyncio
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from uuid_utils.compat import uuid7

from events import data_keys
from events.data_keys import DataKeys
from events.keys import LocalMasterKey


class Table:
    """Answers as `data_keys` does, after others had their turn."""

    def __init__(self, master: LocalMasterKey) -> None:
        self.maker = DataKeys(master)
        self.rows: dict[Any, Any] = {}

    def subject(self) -> Any:
        subject_id = uuid7()
        _, use = self.maker.make(subject_id)
        self.rows[subject_id] = {"subject_id": subject_id, "key_id": use.key_id, "wrapped": use.wrapped}
        return subject_id

    async def fetch(self, _sql: str, subjects: list[Any]) -> list[Any]:
        await asyncio.sleep(0)
        return [self.rows[subject] for subject in subjects if subject in self.rows]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(data_keys, "MOST_KEPT", 10)
    return Table(LocalMasterKey(b"a master key for tests, 32 bytes"))


async def test_keeps_every_key_of_a_fetch_larger_than_the_cache(table):
    keys = DataKeys(table.maker.master)
    subjects = [table.subject() for _ in range(30)]
    await keys.fetch(table, subjects[:5])
    await keys.fetch(table, subjects)
    assert all(keys.fetched(subject) for subject in subjects)


async def test_keeps_the_keys_of_a_fetch_while_others_fetch_theirs(table):
    keys = DataKeys(table.maker.master)

    async def reads(subjects: list[Any]) -> bool:
        await keys.fetch(table, subjects)
        return all(keys.fetched(subject) for subject in subjects)

    shared = [table.subject() for _ in range(4)]
    await keys.fetch(table, shared)
    batches = [shared + [table.subject() for _ in range(8)] for _ in range(20)]
    assert all(await asyncio.gather(*(reads(batch) for batch in batches)))


async def test_someone_who_never_had_a_key_has_none(table):
    keys = DataKeys(table.maker.master)
    stranger = uuid7()
    await keys.fetch(table, [stranger])
    assert keys.fetched(stranger) is None


def found(table: Table, subjects: list[Any]) -> list[Any]:
    return [(subject, table.rows[subject]["key_id"], table.rows[subject]["wrapped"]) for subject in subjects]


async def test_what_was_read_beside_something_else_is_not_asked_for(table):
    keys = DataKeys(table.maker.master)
    ada, bob = table.subject(), table.subject()
    keys.learn([*found(table, [ada]), (bob, uuid7(), None)], keys.forgets)
    table.rows.clear()
    await keys.fetch(table, [ada, bob])
    assert keys.fetched(ada)
    assert keys.fetched(bob) is None, "a tombstone"


async def test_what_may_be_older_than_a_forgetting_is_not_believed(table):
    keys = DataKeys(table.maker.master)
    ada = table.subject()
    forgets = keys.forgets
    keys.forget(ada)
    keys.learn(found(table, [ada]), forgets)
    assert keys.fetched(ada) is None
    keys.learn(found(table, [ada]), keys.forgets)
    assert keys.fetched(ada)


async def test_a_key_that_another_master_wrapped_is_left_for_whoever_needs_it(table):
    keys = DataKeys(LocalMasterKey(b"another master key, of 32 bytes."))
    ada = table.subject()
    keys.learn(found(table, [ada]), keys.forgets)
    with pytest.raises(InvalidTag):
        await keys.fetch(table, [ada])


async def test_learns_no_more_than_it_keeps(table):
    keys = DataKeys(table.maker.master)
    subjects = [table.subject() for _ in range(30)]
    keys.learn(found(table, subjects), keys.forgets)
    assert [subject for subject in subjects if keys.fetched(subject)] == subjects[-10:]


async def test_a_tombstone_holds_whatever_was_known_or_is_still_being_read(table):
    keys = DataKeys(table.maker.master)
    ada, bob = table.subject(), table.subject()
    await keys.fetch(table, [ada])
    reading = asyncio.create_task(keys.fetch(table, [bob]))
    await asyncio.sleep(0)
    keys.learn([(subject, uuid7(), None) for subject in (ada, bob)], keys.forgets)
    await reading
    assert (keys.fetched(ada), keys.fetched(bob)) == (None, None)
