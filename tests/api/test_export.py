"""`muster export`, as an operator runs it, read back and compared with what it was taken from."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from datetime import timedelta
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict
from sqlalchemy import JSON
from uuid_utils.compat import uuid7

from api.cli import main
from events.codec import personal_fields
from events.session import SessionEnded, SessionStarted
from events.user import (
    AdministratorsMetadataChanged,
    DisplayNameChanged,
    EmailVerified,
    OwnMetadataChanged,
    PictureChanged,
    RoleGranted,
    UserRegistered,
    VerificationRequested,
)
from projections.checkpoints import prepare, release, take
from projections.models import MODELS
from projections.personal_columns import PERSONAL_COLUMNS
from projections.reactions.emails import EMAILS
from projections.user_names import USER_NAMES
from projections.users import USERS
from queries.deliveries import deliveries
from queries.exports import Field
from tests.api.exported import READERS
from tests.api.site import environment_for
from tests.projections.conftest import connection, log, partitioned, reader_pool, view
from tests.queries.past import Fact, Past
from tests.support import NOON, until

__all__ = ["connection", "log", "partitioned", "reader_pool", "view"]

AWKWARD = ['"', ",", "a\nb", "", "\\N", "null", "İ\u0301", "\u2028", "{}", "=1+1"]


async def exported(database, *arguments: str) -> Result:
    runner = CliRunner(catch_exceptions=False)
    return await asyncio.to_thread(
        runner.invoke, main, ["export", *arguments], env=environment_for(database), prog_name="muster"
    )


def told(result: Result) -> dict[str, Any]:
    """The stamp, which is the last thing that is said."""
    assert result.exit_code == 0, result.stderr
    stamp: dict[str, Any] = json.loads(result.stderr.splitlines()[-1])
    return stamp


def fields(stamp: dict[str, Any]) -> list[Field]:
    return [Field(name, kind) for name, kind in stamp["columns"].items()]


async def rows_of_view(view) -> list[dict[str, Any]]:
    model = view.model
    rows = await view.database.query(f"SELECT * FROM views.{model.consumer} ORDER BY {', '.join(model.identity)}")
    documents = [column.name for column in model.table.columns if isinstance(column.type, JSON)]
    return [dict(row) | {name: json.loads(row[name]) for name in documents} for row in rows]


async def crowd(log, number: int = 3) -> None:
    for place in range(number):
        text = AWKWARD[place % len(AWKWARD)]
        entries = ((text or "empty", {"text": text, "number": 2**53}),)
        await log.add(
            uuid7(),
            UserRegistered(f"u{place}@example.com", text or None),
            EmailVerified(),
            RoleGranted("auditor"),
            *([RoleGranted(text)] if text else []),
            OwnMetadataChanged(entries),
        )


async def days_of(log) -> None:
    """What happened to two people on several days, before anything else: of two sessions each, one is over."""
    facts: list[Fact] = []
    for number, person in enumerate([uuid7(), uuid7()]):
        facts.append(Fact(NOON, person, UserRegistered(f"early{number}@example.com")))
        for day in (1, 4):
            at, session_id = NOON + timedelta(days=day, microseconds=number), uuid7()
            facts.append(Fact(at, person, SessionStarted(person, "password"), session_id))
            if day == 1:
                facts.append(Fact(at + timedelta(hours=1), person, SessionEnded(), session_id))
    await Past(facts).write(log)


async def owed(log, connection) -> None:
    """Two mails to each of three people, some of them given up."""
    await prepare(connection, {}, {"emails": 1})
    for place in range(3):
        await log.add(uuid7(), UserRegistered(f"u{place}@example.com"), VerificationRequested())
    checkpoint = await take(connection, "emails", 0)
    assert checkpoint
    await EMAILS.begin(connection, checkpoint)
    await EMAILS.step(connection, checkpoint)
    await release(connection, "emails", 0)
    await log.database.query(
        "UPDATE deliveries SET status = 'dead', cause = '550', attempts = 8, settled_at = now() WHERE position % 2 = 0"
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
async def test_a_view_is_exported_row_by_row(log, partitioned, tmp_path, model):
    await days_of(log)
    await crowd(log, len(AWKWARD))
    view = await partitioned(1, model)
    await view.catch_up()
    rows = await rows_of_view(view)
    assert len(rows) >= 4
    for form, read in READERS.items():
        file = tmp_path / f"{model.name}.{form}"
        stamp = told(await exported(log.database, model.name, "--format", form, "--output", str(file), "--personal"))
        assert read(file.read_bytes(), fields(stamp)) == rows
        assert (stamp["name"], stamp["rows"], stamp["left_out"]) == (model.name, len(rows), [])
        assert stamp["position"] == (await log.positions())[-1][0]
        assert stamp["bytes"] == file.stat().st_size
        assert stamp["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", READERS)
async def test_what_takes_several_batches_is_whole_and_in_order(log, view, monkeypatch, form):
    await crowd(log, 5)
    await view.catch_up()
    at_once = await exported(log.database, "log", "--format", form, "--personal")
    for module in ("exports", "log_exports"):
        monkeypatch.setattr(f"queries.{module}.ROWS_AT_ONCE", 2)
    of_view = await exported(log.database, "users", "--format", form, "--personal")
    assert READERS[form](of_view.stdout_bytes, fields(told(of_view))) == await rows_of_view(view)
    of_log = await exported(log.database, "log", "--format", form, "--personal")
    events = READERS[form](of_log.stdout_bytes, fields(told(of_log)))
    assert [(event["position"], event["type"]) for event in events] == await log.positions()
    assert events == READERS[form](at_once.stdout_bytes, fields(told(at_once)))


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
changes = st.one_of(
    st.builds(DisplayNameChanged, st.none() | names),
    st.builds(PictureChanged, st.none() | names),
    st.builds(RoleGranted, names),
    st.builds(
        OwnMetadataChanged,
        st.lists(st.tuples(names, st.none() | names | st.booleans() | st.lists(names)), max_size=3).map(tuple),
    ),
    st.builds(AdministratorsMetadataChanged, st.tuples(st.tuples(names, st.dictionaries(names, names, max_size=2)))),
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(st.tuples(names, st.lists(changes, max_size=4)), max_size=3))
async def test_whatever_a_view_holds_is_read_back(log, view, history):
    for email, events in history:
        await log.add(uuid7(), UserRegistered(email), *events)
    await view.catch_up()
    expected = await rows_of_view(view)
    for form, read in READERS.items():
        result = await exported(log.database, "users", "--format", form, "--personal")
        assert read(result.stdout_bytes, fields(told(result))) == expected


@pytest.mark.parametrize("form", READERS)
async def test_the_log_is_exported_event_by_event_as_the_api_shows_it(log, tmp_path, form):
    await crowd(log)
    file = tmp_path / "log"
    stamp = told(await exported(log.database, "log", "--format", form, "--output", str(file), "--personal"))
    events = READERS[form](file.read_bytes(), fields(stamp))
    assert [(event["position"], event["type"]) for event in events] == await log.positions()
    assert events[0]["data"] == {"email": "u0@example.com", "display_name": '"', "locale": None}
    assert events[0]["actor"] == {"type": "anonymous"}
    assert events[1]["data"] == {}


async def test_without_being_asked_to_nothing_personal_is_exported(log, view, tmp_path):
    await crowd(log)
    await view.catch_up()
    for name in ("users", "log"):
        for form in READERS:
            file = tmp_path / f"{name}.{form}"
            stamp = told(await exported(log.database, name, "--format", form, "--output", str(file)))
            assert stamp["left_out"]
            assert b"example.com" not in file.read_bytes()
            rows = READERS[form](file.read_bytes(), fields(stamp))
            if name == "users":
                assert not rows[0].keys() & PERSONAL_COLUMNS
                assert rows[0]["roles"] == ['"', "auditor"]
            else:
                assert rows[0]["data"] == {}
                assert rows[2]["data"] == {"role": "auditor"}
                assert "reason" not in rows[0]


@pytest.mark.parametrize("form", READERS)
async def test_of_whom_something_is_parked_is_left_out_and_counted(log, view, tmp_path, form):
    await crowd(log, 2)
    stranger = uuid7()
    await log.add(stranger, UserRegistered("grace@example.com"))
    await log.add_raw(stranger, "UserFlew", b"{}")
    await view.catch_up()
    assert len(await rows_of_view(view)) == 3
    file = tmp_path / form
    result = await exported(log.database, "users", "--format", form, "--output", str(file), "--personal")
    stamp = told(result)
    rows = READERS[form](file.read_bytes(), fields(stamp))
    assert stranger not in {row["id"] for row in rows}
    assert (stamp["rows"], stamp["parked"], len(rows)) == (2, 1, 2)
    assert "1 are left out" in result.stderr
    if form == "parquet":
        assert pq.ParquetFile(file).metadata.metadata[b"muster.parked"] == b"1"
    else:
        assert json.loads((tmp_path / f"{form}.meta.json").read_text())["parked"] == 1


@pytest.mark.parametrize("form", READERS)
async def test_deliveries_are_exported_as_the_api_shows_them(log, connection, reader_pool, form):
    await owed(log, connection)
    result = await exported(log.database, "deliveries", "--format", form)
    stamp = told(result)
    shown = [asdict(delivery) for delivery in (await deliveries(reader_pool)).items[::-1]]
    assert READERS[form](result.stdout_bytes, fields(stamp)) == shown
    assert (len(shown), stamp["rows"], stamp["position"], stamp["left_out"]) == (6, 6, 6, [])
    assert "example.com" not in result.stdout_bytes.decode("latin-1")


async def test_deliveries_are_exported_once_reactions_have_come_to_a_position(log, connection, monkeypatch):
    monkeypatch.setattr("api.export_command.PATIENCE_SECONDS", 0.2)
    await owed(log, connection)
    refused = await exported(log.database, "deliveries", "--format", "csv", "--to", "7")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "The view deliveries stands at position 6, before 7." in refused.stderr


async def test_a_spreadsheet_is_given_no_formula_that_somebody_chose_as_a_name(log, view):
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "a=1", ""]
    for name in names:
        await log.add(uuid7(), UserRegistered("=a@example.com", name or None))
    await view.catch_up()
    for spreadsheet, before in ((["--spreadsheet"], "'"), ([], "")):
        result = await exported(log.database, "users", "--format", "csv", "--personal", *spreadsheet)
        rows = READERS["csv"](result.stdout_bytes, fields(told(result)))
        assert {row["email"] for row in rows} == {f"{before}=a@example.com"}
        assert {row["display_name"] for row in rows} == {*(before + name for name in names[:6]), "'=1", "a=1", None}
    refused = await exported(log.database, "users", "--format", "ndjson", "--spreadsheet")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--spreadsheet goes with --format csv" in refused.stderr


async def test_what_was_forgotten_reads_so(log, tmp_path):
    ada = uuid7()
    await log.add(ada, UserRegistered("ada@example.com"), RoleGranted("auditor"))
    await log.forget(ada)
    result = await exported(log.database, "log", "--format", "ndjson", "--personal")
    first, second = READERS["ndjson"](result.stdout_bytes, fields(told(result)))
    assert first["data"] == {name: {"forgotten": True} for name in ("email", "display_name", "locale")}
    assert second["data"] == {"role": "auditor"}


async def test_an_event_of_a_newer_version_is_exported_as_far_as_it_can_be_read(log):
    await log.add_raw(uuid7(), "UserFlew", b'{"where":"away","sealed":"AAAA"}')
    for personal in ((), ("--personal",)):
        result = await exported(log.database, "log", "--format", "ndjson", *personal)
        (event,) = READERS["ndjson"](result.stdout_bytes, fields(told(result)))
        assert event["type"] == "UserFlew"
        assert event["data"]["where"] == "away"
        assert "UserFlew" in event["data"]["unreadable"]
        assert "sealed" not in event["data"]


async def test_the_log_is_exported_up_to_a_position(log):
    await crowd(log)
    result = await exported(log.database, "log", "--format", "csv", "--to", "4")
    assert told(result)["position"] == 4
    assert [event["position"] for event in READERS["csv"](result.stdout_bytes, fields(told(result)))] == [1, 2, 3, 4]
    refused = await exported(log.database, "log", "--format", "csv", "--to", "4000")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "The log ends at position 15, before 4,000." in refused.stderr


async def test_a_view_is_exported_once_it_reflects_a_position(log, view):
    await crowd(log)
    task = asyncio.create_task(exported(log.database, "users", "--format", "csv", "--to", "15"))
    await view.catch_up()
    assert told(await task)["position"] == 15


async def test_a_view_that_stays_behind_is_told_and_not_exported(log, view, monkeypatch):
    monkeypatch.setattr("api.export_command.PATIENCE_SECONDS", 0.2)
    await crowd(log)
    refused = await exported(log.database, "users", "--format", "csv", "--to", "15")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "The view users stands at position 0, before 15." in refused.stderr


async def test_parquet_carries_its_stamp_and_lines_have_it_beside_them(log, tmp_path):
    await crowd(log)
    for form in READERS:
        file = tmp_path / form
        stamp = told(await exported(log.database, "log", "--format", form, "--output", str(file)))
        beside = tmp_path / f"{form}.meta.json"
        if form == "parquet":
            kept = pq.ParquetFile(file).metadata.metadata
            assert kept[b"muster.position"] == b"15"
            assert kept[b"muster.name"] == b"log"
            assert not beside.exists()
        else:
            assert json.loads(beside.read_text()) == stamp


async def test_what_is_exported_again_takes_the_place_of_what_was_there(log, tmp_path):
    file = tmp_path / "log.csv"
    for _ in range(2):
        await crowd(log)
        stamp = told(await exported(log.database, "log", "--format", "csv", "--output", str(file)))
        assert json.loads((tmp_path / "log.csv.meta.json").read_text()) == stamp
        assert stamp["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert sorted(os.listdir(tmp_path)) == ["log.csv", "log.csv.meta.json"]


async def test_a_folder_that_is_not_there_is_told(log, tmp_path):
    refused = await exported(log.database, "log", "--format", "csv", "--output", str(tmp_path / "no" / "log.csv"))
    assert refused.exit_code == 1
    assert "log.csv cannot be written: No such file or directory." in refused.stderr


async def test_a_name_that_means_nothing_is_refused_with_those_that_do(database):
    refused = await exported(database, "passwords", "--format", "csv")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "users" in refused.stderr
    assert "log" in refused.stderr


async def test_without_pyarrow_it_is_told_what_to_install(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "api.parquet", None)
    refused = await exported(database, "log", "--format", "parquet")
    assert refused.exit_code == 2
    assert "Parquet needs the package pyarrow" in refused.stderr


async def test_an_export_that_is_killed_leaves_nothing_that_looks_finished(log, tmp_path):
    await crowd(log)
    file = tmp_path / "log.csv"
    holding = (
        "import time, api.export_command as command, queries.log_exports as exports\n"
        "exports.ROWS_AT_ONCE = 1\n"
        "real = command.Progress.at\n"
        "command.Progress.at = lambda self, done: (real(self, done), time.sleep(60 if done > 3 else 0))\n"
        "from api.cli import main\n"
        f"main(['export', 'log', '--format', 'csv', '--output', {str(file)!r}])\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", holding, env=environment_for(log.database))

    async def begun() -> bool:
        return any(name.startswith(".log.csv.") for name in os.listdir(tmp_path))

    await until(begun)
    child.send_signal(signal.SIGKILL)
    await child.wait()
    assert not file.exists()
    assert all(name.endswith(".unfinished") for name in os.listdir(tmp_path))


async def test_every_column_of_every_view_is_known_to_be_personal_or_not():
    """A new personal column has to be added where exports and analysts look for it."""
    personal = {
        field.name
        for model in MODELS
        for event in model.events
        for field in msgspec.structs.fields(event)
        if field.name in personal_fields(event)
    }
    of_metadata = {"changes", "own_metadata", "administrators_metadata"}
    assert personal - of_metadata - {"external_id", "label"} <= PERSONAL_COLUMNS, "that one is shown by no view"
    shown = {column.name for model in (USERS, USER_NAMES) for column in model.table.columns}
    assert shown >= PERSONAL_COLUMNS
