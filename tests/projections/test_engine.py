"""Read models on a real log: nothing skipped, nothing applied twice, and one bad event stops its own key only."""

import asyncio
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import ARRAY, JSON, BigInteger, Column, Index, Text, Uuid, column, literal_column
from uuid_utils.compat import uuid7

from events.connections import connect
from events.data_keys import DataKeys
from events.event import Recorded
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    UserRegistered,
    VerificationRequested,
)
from projections.checkpoints import Overtaken, take
from projections.engine import Projector
from projections.heartbeat import unheld
from projections.read_model import ReadModel, Row
from projections.rows import Rows
from projections.users import USERS
from tests.projections.log import in_partition
from tests.projections.terms import TERMS
from tests.support import until

registered = UserRegistered("ada@example.com", "Ada")


class Tag(Row, frozen=True, kw_only=True):
    id: UUID
    tags: tuple[str, ...]
    notes: dict[str, Any]
    seen: int


TagEvents: TypeAlias = UserRegistered | RoleGranted


def tag(row: Tag | None, recorded: Recorded[TagEvents]) -> Tag:
    """Keeps roles with quotes, braces and nulls in them, and trips over one."""
    row = row or Tag(id=recorded.stream_id, tags=(), notes={}, seen=0)
    if not isinstance(recorded.event, RoleGranted):
        return row
    role = recorded.event.role
    if role == "trip":
        raise RuntimeError("ada@example.com made me trip")
    return Tag(id=row.id, tags=(*row.tags, role), notes={"last": role}, seen=row.seen + 1)


TAGS = ReadModel(
    "tags",
    3,
    columns=(
        Column("id", Uuid, primary_key=True),
        Column("tags", ARRAY(Text), nullable=False),
        Column("notes", JSON, nullable=False),
        Column("seen", BigInteger, nullable=False, index=True),
    ),
    row=Tag,
    key="id",
    events=TagEvents,
    evolve=tag,
    indexes=(Index(None, "id", postgresql_where=column("seen") > literal_column("1")),),
)


async def test_makes_changes_and_removes_rows(log, view):
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered, EmailVerified())
    await log.add(bob, UserRegistered("bob@example.com"))
    await view.catch_up()
    assert {key: row["email"] for key, row in (await view.rows()).items()} == {
        ada: "ada@example.com",
        bob: "bob@example.com",
    }
    await log.add(ada, DisplayNameChanged("Countess"), RoleGranted("auditor"))
    await log.add(bob, RegistrationSuperseded(ada))
    await view.catch_up()
    rows = await view.rows()
    assert set(rows) == {ada}
    row = rows[ada]
    assert (row["display_name"], row["roles"], row["version"], row["position"]) == ("Countess", ["auditor"], 4, 5)


async def test_the_readers_role_sees_the_rows_and_cannot_write_them(database, log, view):
    await log.add(uuid7(), registered)
    await view.catch_up()
    reader = await connect(database.url("reader"), "reader")
    assert await reader.fetchval("SELECT email FROM views.users_v4") == "ada@example.com"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("DELETE FROM views.users_v4")
    await reader.close()


async def test_keeps_text_arrays_and_json_as_they_are(log, partitioned):
    view = await partitioned(1, TAGS)
    odd = ('"', "\\", "{a,b}", "NULL", "", "ß\u2028\n", " ")
    ada = uuid7()
    await log.add(ada, registered, *(RoleGranted(role) for role in odd))
    await log.add(uuid7(), registered, RoleGranted("plain"))
    await view.catch_up(most_events=3)
    assert (await view.rows())[ada]["tags"] == list(odd)


async def test_its_indexes_carry_its_version(database, partitioned):
    await partitioned(1, TAGS)
    rows = await database.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'tags_v3' ORDER BY indexname")
    made = [row["indexdef"].partition(" ON ")[0].split()[-1] for row in rows]
    assert made == ["tags_v3_id_idx", "tags_v3_pkey", "tags_v3_seen_idx"]
    assert rows[0]["indexdef"].endswith("(id) WHERE (seen > 1)")


async def test_who_begins_is_not_looked_for(log, view, monkeypatch):
    people = [uuid7() for _ in range(3)]
    for person in people:
        await log.add(person, registered, EmailVerified())
    with monkeypatch.context() as patch:

        async def looks(*_args):
            pytest.fail("it was asked for rows that cannot be there")

        patch.setattr(Rows, "load", looks)
        await view.catch_up()
    rows = await view.rows()
    assert {key: row["version"] for key, row in rows.items()} == dict.fromkeys(people, 2)
    await log.add(people[0], DisplayNameChanged("Countess"))
    await view.catch_up()
    assert (await view.rows())[people[0]]["display_name"] == "Countess"


async def test_a_row_of_someone_who_begins_is_not_overwritten(log, partitioned, connection):
    """As a table may have it that is ahead of its checkpoint, for whatever reason: what it has seen is passed over."""
    view = await partitioned(1, TAGS)
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered)
    await log.add(bob, registered)
    known = Tag(id=ada, tags=("auditor",), notes={}, seen=7, position=1_000)
    await Rows(TAGS).write(connection, [known])
    await view.catch_up()
    assert await view.all_of(ada) == [known]
    assert [row.position for row in await view.all_of(bob)] == [2]


@pytest.mark.parametrize("most_events", [1, 2, 100])
async def test_who_begins_and_is_gone_or_cannot_be_taken_at_once(log, partitioned, most_events):
    view = await partitioned(1)
    gone, forgotten, kept = uuid7(), uuid7(), uuid7()
    await log.add(gone, registered, RegistrationSuperseded(kept))
    await log.add(forgotten, registered)
    await log.forget(forgotten)
    await log.add(kept, registered)
    await log.add_raw(kept, "UserBeatified", b"{}")
    await view.catch_up(most_events=most_events)
    assert set(await view.rows()) == {kept}
    assert [position for position, _ in await view.parked()] == [5]


async def test_events_of_no_concern_move_the_checkpoint_and_nothing_else(log, view):
    await view.catch_up()
    position = await log.add(uuid7(), VerificationRequested(), VerificationRequested())
    await view.catch_up(steps=1)
    assert await view.positions() == [position]
    assert await view.rows() == {}


async def test_partitions_without_events_of_theirs_reach_the_end_too(log, partitioned):
    view = await partitioned(4)
    ada = in_partition(2, 4)
    position = await log.add(ada, registered)
    await view.catch_up()
    assert await view.positions() == [position] * 4
    assert set(await view.rows()) == {ada}


async def test_an_event_of_a_newer_version_is_laid_aside_with_what_follows_of_its_key(log, view):
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered)
    unknown = await log.add_raw(ada, "UserBeatified", b"{}")
    after = await log.add(ada, DisplayNameChanged("Saint Ada"))
    position = await log.add(bob, UserRegistered("bob@example.com"))
    await view.catch_up()
    later = await log.add(ada, EmailVerified())
    await view.catch_up()
    rows = await view.rows()
    assert (rows[ada]["display_name"], rows[ada]["status"]) == ("Ada", "unverified")
    assert rows[bob]["position"] == position
    parked = dict(await view.parked())
    assert list(parked) == [unknown, after, later]
    assert "UserBeatified" in parked[unknown]
    assert await view.positions() == [later]


@pytest.mark.parametrize("state", [b"not json", b'{"display_name":5}', b'{"sealed":"AAAA"}', b'{"class_version":9}'])
async def test_an_event_that_cannot_be_read_is_laid_aside(log, view, state):
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered)
    bad = await log.add_raw(ada, "DisplayNameChanged", state)
    await log.add(bob, UserRegistered("bob@example.com"))
    await view.catch_up()
    assert [position for position, _ in await view.parked()] == [bad]
    assert set(await view.rows()) == {ada, bob}


async def test_an_evolve_that_fails_stops_one_key_and_tells_nothing_personal(log, partitioned):
    view = await partitioned(1, TAGS)
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered, RoleGranted("one"), RoleGranted("trip"), RoleGranted("two"))
    await log.add(bob, registered, RoleGranted("one"))
    await view.catch_up()
    rows = await view.rows()
    assert (rows[ada]["tags"], rows[bob]["tags"]) == (["one"], ["one"])
    ((position, cause), (after, blocked)) = await view.parked()
    assert (position, after) == (3, 4)
    assert cause.startswith("RuntimeError in tag, line")
    assert "ada@" not in cause + blocked


async def test_a_row_that_the_table_refuses_stops_its_own_key_only(log, partitioned):
    view = await partitioned(1, TAGS)
    people = [uuid7() for _ in range(9)]
    for number, person in enumerate(people):
        await log.add(person, registered, RoleGranted("\0" if number == 4 else "fine"))
    await view.catch_up()
    assert set(await view.rows()) == set(people) - {people[4]}
    assert {position for position, _ in await view.parked()} == {9, 10}
    assert await view.positions() == [18]


async def test_what_was_laid_aside_is_taken_by_a_version_that_can(log, partitioned, monkeypatch):
    view = await partitioned(1, TAGS)
    ada = uuid7()
    await log.add(ada, registered, RoleGranted("one"), RoleGranted("trip"), RoleGranted("two"))
    await view.catch_up()

    def wiser(row: Tag | None, recorded: Recorded[TagEvents]) -> Tag:
        trips = isinstance(recorded.event, RoleGranted) and recorded.event.role == "trip"
        return row if row and trips else tag(row, recorded)

    monkeypatch.setattr(TAGS, "evolve", wiser)
    await log.add(ada, RoleGranted("three"))
    await view.catch_up()
    assert (await view.rows())[ada]["tags"] == ["one", "two", "three"]
    assert await view.parked() == []


async def test_what_is_still_refused_stays_aside(log, partitioned):
    view = await partitioned(1, TAGS)
    await log.add(uuid7(), registered, RoleGranted("trip"), RoleGranted("two"))
    await view.catch_up()
    before = await view.parked()
    await view.catch_up()
    assert await view.parked() == before
    assert len(before) == 2


async def test_nobody_else_holds_a_partition_that_is_held(database, view):
    assert await take(view.connection, USERS.consumer, 0)
    other = await connect(database.url("projector"), "other")
    assert await take(other, USERS.consumer, 0) is None
    view.connection.terminate()
    assert await until(lambda: take(other, USERS.consumer, 0))
    await other.close()


async def test_a_holder_that_was_overtaken_writes_nothing(log, view):
    ada = uuid7()
    await log.add(ada, registered)
    stale = await take(view.connection, USERS.consumer, 0)
    assert stale
    await view.catch_up()
    before = await view.rows()
    with pytest.raises(Overtaken):
        await Projector(USERS, DataKeys(view.database.master)).step(view.connection, stale)
    assert await view.rows() == before


async def test_a_step_that_is_cut_off_leaves_nothing_and_is_done_again(database, log, view, monkeypatch):
    """Rows alone are written in one statement; with something to park, in several."""
    ada = uuid7()
    position = await log.add(ada, registered, EmailVerified())
    await log.add_raw(uuid7(), "FromTheFuture", b"{}")
    doomed = await connect(database.url("projector"), "doomed")
    projector = Projector(USERS, DataKeys(database.master))
    write = projector._rows.write

    async def write_and_die(connection: Any, rows: Any) -> None:
        await write(connection, rows)
        connection.terminate()

    monkeypatch.setattr(projector._rows, "write", write_and_die)
    checkpoint = await take(doomed, USERS.consumer, 0)
    assert checkpoint
    with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError, OSError)):
        await projector.step(doomed, checkpoint)
    assert (await view.rows(), await view.positions(), await view.parked()) == ({}, [0], [])
    await until(lambda: unheld(view.connection, [USERS.consumer]))
    await view.catch_up()
    assert (await view.rows())[ada]["position"] == position


async def test_someone_whose_key_is_gone_is_not_shown(log, view):
    ada = uuid7()
    await log.add(ada, registered, EmailVerified(), DisplayNameChanged("Countess"))
    await log.forget(ada)
    await view.catch_up()
    assert (await view.rows(), await view.parked()) == ({}, [])


async def test_announces_where_it_stands(database, log, view):
    heard = asyncio.Queue[str]()
    listener = await connect(database.url("reader"), "listener")
    await listener.add_listener("projected", lambda *said: heard.put_nowait(said[-1]))
    await log.add(uuid7(), registered)
    await view.catch_up()
    async with asyncio.timeout(5):
        assert await heard.get() == "users_v4:0:1"
    await listener.close()


async def test_a_key_owns_several_rows_which_change_while_they_are_open(log, partitioned):
    view = await partitioned(1, TERMS)
    ada = uuid7()
    await log.add(ada, registered, RoleGranted("auditor"), RoleGranted("analyst"))
    await view.catch_up()
    await log.add(ada, RoleRevoked("auditor"), DisplayNameChanged("Countess"))
    await view.catch_up()
    assert {(row.role, row.begun, row.ended, row.others, row.name, row.position) for row in await view.all_of(ada)} == {
        ("auditor", 2, 4, 0, None, 4),
        ("analyst", 3, None, 1, "Countess", 5),
    }


async def test_what_removes_a_key_removes_its_closed_rows_too_and_what_follows_begins_anew(log, partitioned):
    view = await partitioned(1, TERMS)
    ada = uuid7()
    await log.add(ada, registered, RoleGranted("auditor"), RoleRevoked("auditor"))
    await view.catch_up()
    await log.add(ada, RegistrationSuperseded(uuid7()), RoleGranted("analyst"))
    await view.catch_up()
    assert [(row.role, row.begun) for row in await view.all_of(ada)] == [("analyst", 5)]


async def test_an_event_that_cannot_be_taken_keeps_all_rows_of_its_key_as_they_were(log, partitioned):
    view = await partitioned(1, TERMS)
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered, RoleGranted("auditor"), RoleGranted("trip"), RoleRevoked("auditor"))
    await log.add(bob, registered, RoleGranted("auditor"), RoleRevoked("auditor"))
    await view.catch_up()
    assert [row.ended for row in await view.all_of(ada)] == [None]
    assert [row.ended for row in await view.all_of(bob)] == [3]
    assert [position for position, _ in await view.parked()] == [3, 4]


async def test_one_row_that_the_table_refuses_keeps_all_rows_of_its_key_out(log, partitioned):
    view = await partitioned(1, TERMS)
    ada, bob = uuid7(), uuid7()
    await log.add(ada, registered, RoleGranted("auditor"), RoleGranted("\0"))
    await log.add(bob, registered, RoleGranted("auditor"))
    await view.catch_up()
    assert await view.all_of(ada) == []
    assert [row.role for row in await view.all_of(bob)] == ["auditor"]
    assert [position for position, _ in await view.parked()] == [2, 3]


async def test_a_model_that_needs_nothing_personal_opens_no_seal(log, partitioned, monkeypatch):
    monkeypatch.setattr(TERMS, "opens_seals", False)
    view = await partitioned(1, TERMS)
    ada = uuid7()
    await log.add(ada, registered, RoleGranted("auditor"), DisplayNameChanged("Countess"))
    await view.catch_up()
    assert await view.all_of(ada) == [], "a name that reads as forgotten ends everything"


def test_keys_are_needed_for_events_with_something_personal_only():
    assert (USERS.opens_seals, TAGS.opens_seals) == (True, True)
    assert not model_of(RoleGranted | RoleRevoked).opens_seals
    assert not model_of(UserRegistered | RoleGranted, opens_seals=False).opens_seals


def model_of(events: Any, **more: Any) -> ReadModel[Tag]:
    columns = [Column(name, Text, primary_key=name == "id") for name in ("id", "tags", "notes", "seen")]
    return ReadModel("odd", 1, columns=columns, row=Tag, key="id", events=events, evolve=tag, **more)


def test_rows_that_are_one_of_several_need_an_evolve_of_several():
    columns = [Column(name, Text, primary_key=name != "seen") for name in ("id", "tags", "notes", "seen")]
    with pytest.raises(TypeError, match="several rows"):
        ReadModel("odd", 1, columns=columns, row=Tag, key="id", events=TagEvents, evolve=tag)


def test_a_table_has_the_fields_of_its_row():
    with pytest.raises(TypeError, match="not the fields of Tag"):
        ReadModel("odd", 1, columns=(), row=Tag, key="id", events=TagEvents, evolve=tag)
