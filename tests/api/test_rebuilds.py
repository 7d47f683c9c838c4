"""Views built anew, gone back to, dropped and verified, over HTTP and at the console, while everything goes on."""

import asyncio
import json
import re
import sys
from typing import Any

import pytest

from api.meter import Meter
from events.connections import connect
from projections.asked import AskedFor
from projections.keeping import Store
from projections.models import MODELS
from projections.rebuilds import hold
from projections.users import USERS
from tests.api.console import muster, refused, told
from tests.api.site import Site
from tests.api.test_projections import broken, parked
from tests.support import until

REBUILD = "/v1/projections/users/rebuild"


async def status(site: Site) -> dict[str, Any]:
    """What is told of projections."""
    answer = await site.get("/v1/projections", site.administrator)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def states(site: Site) -> dict[str, str]:
    """The tables of the view of users, and what they are for."""
    items = (await status(site))["items"]
    return {item["table"]: item["state"] for item in items if item["name"] == USERS.name}


async def change(site: Site, sql: str, *arguments: Any) -> None:
    """Do to a view what nobody should."""
    connection = await connect(site.database.url("projector"), "mischief")
    await connection.execute(sql, *arguments)
    await connection.close()


async def test_workers_build_what_was_asked_for_once(fresh: Site):
    person = await fresh.seen(await fresh.person())
    taken = await fresh.post(REBUILD, None, fresh.administrator)
    assert (taken.status_code, taken.headers["location"]) == (202, "/v1/projections")
    assert taken.json() == {"name": "users", "status": "/v1/projections"}
    again = await fresh.post(REBUILD, None, fresh.administrator)
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "rebuild-under-way")
    (rebuild,) = (await status(fresh))["rebuilds"]
    assert (rebuild["name"], rebuild["state"], rebuild["alive"]) == ("users", "asked", False)

    database = fresh.database
    store = Store(database.url("projector"), database.role("reader"), [database.master_key])
    worker = AskedFor(store, {model.view: model for model in MODELS}, 2)
    assert await worker.to_do(fresh.app.process.reader) == [USERS.view]
    await worker.build(USERS.view)
    assert await worker.to_do(fresh.app.process.reader) == []
    (rebuild,) = (await status(fresh))["rebuilds"]
    assert (rebuild["state"], rebuild["table"], rebuild["done"]) == ("done", f"{USERS.view}_1", rebuild["total"])
    assert await states(fresh) == {USERS.view: "kept", f"{USERS.view}_1": "serving"}
    view = await fresh.get(f"/v1/users/{person.id}", fresh.administrator)
    assert view.json()["email"] == person.email
    assert (await fresh.post(REBUILD, None, fresh.administrator)).status_code == 202


async def test_who_has_a_view_built_anew_and_why_stands_in_the_log(fresh: Site):
    dry, before = {"Prefer": "dry-run"}, await fresh.head()
    tried = await fresh.post(REBUILD, {"reason": "to be sure"}, fresh.administrator, headers=dry)
    assert (tried.status_code, tried.headers["preference-applied"]) == (200, "dry-run")
    (event,) = tried.json()["events"]
    assert (event["type"], event["data"]) == ("RebuildAsked", {"name": "users", "version": USERS.version})
    assert (await status(fresh))["rebuilds"] == []
    assert await fresh.head() == before
    taken = await fresh.post(REBUILD, {"reason": "to be sure"}, fresh.administrator)
    assert (taken.status_code, taken.headers["event-position"]) == (202, str(before + 1))
    for headers in (dry, {}):
        again = await fresh.post(REBUILD, None, fresh.administrator, headers=headers)
        assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "rebuild-under-way")
    await told(fresh, "projections", "rebuild", "users", "--reason", "nobody else did")
    asked = (await fresh.get("/v1/events?type=RebuildAsked", fresh.administrator)).json()["items"]
    assert [(event["actor"]["type"], event["reason"], event["subject"]) for event in asked] == [
        ("user", "to be sure", None),
        ("operator", "nobody else did", None),
    ]


async def test_nothing_is_recorded_of_a_rebuild_while_another_goes_on(fresh: Site):
    before, connection = await fresh.head(), await connect(fresh.database.url("projector"), "another")
    await hold(connection, USERS)
    assert "It is being built anew already" in await refused(fresh, "projections", "rebuild", "users")
    assert (await fresh.post(REBUILD, None, fresh.administrator)).status_code == 409
    assert (await fresh.post(REBUILD, None, fresh.administrator, headers={"Prefer": "dry-run"})).status_code == 409
    await connection.close()
    assert await fresh.head() == before


async def test_answers_never_go_back_while_tables_take_turns(fresh: Site):
    person = await fresh.seen(await fresh.person())
    seen: list[int] = []
    over = asyncio.Event()

    async def read() -> None:
        while not over.is_set():
            for path in (f"/v1/users/{person.id}", "/v1/users"):
                answer = await fresh.get(path, fresh.administrator)
                assert answer.status_code == 200, answer.text
                seen.append(int(answer.headers["event-position"]) if path != "/v1/users" else 0)

    async def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            changed = await fresh.request(
                "PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": f"Ada {number}"}
            )
            assert changed.status_code == 204, changed.text
            position = changed.headers["event-position"]
            own = await fresh.get("/v1/me", person, headers={"Min-Position": position, "Prefer": "wait=20"})
            assert own.json()["display_name"] == f"Ada {number}"

    busy = [asyncio.create_task(read()), asyncio.create_task(write())]
    for command in ("rebuild", "rollback", "rollback"):
        await told(fresh, "projections", command, "users")
    over.set()
    await asyncio.gather(*busy)
    positions = [position for position in seen if position]
    assert positions == sorted(positions)
    assert len(positions) > 3


async def test_at_the_console_it_is_built_told_gone_back_to_and_dropped(fresh: Site):
    done = await muster(fresh, "projections", "rebuild", "users", "--processes", "1")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"{USERS.view}_1 serves users now, built in ")
    assert "building: " in done.stderr
    assert "following: " in done.stderr
    listed = (await muster(fresh, "projections")).stdout
    assert re.search(rf"{USERS.view}_1 +serving", listed)
    assert f"users: the rebuild as {USERS.view}_1 was done at " in listed
    assert await told(fresh, "projections", "rollback", "users") == [{"name": "users", "table": USERS.view}]
    assert await told(fresh, "projections", "drop", "users") == [{"name": "users", "dropped": [f"{USERS.view}_1"]}]
    assert (await muster(fresh, "projections", "drop", "users")).stdout == "There was nothing to drop.\n"
    assert "No other table of users is kept." in await refused(fresh, "projections", "rollback", "users")
    assert "There is no view named strangers" in await refused(fresh, "projections", "rebuild", "strangers")


async def test_a_rebuild_that_stops_says_at_which_event_and_where_it_lies(fresh: Site):
    person = await fresh.seen(await fresh.person())
    position = await broken(fresh, person)
    await until(lambda: parked(fresh))
    done = await muster(fresh, "projections", "rebuild", "users")
    assert done.exit_code == 1
    assert f"The event at position {position}, about {person.id}, cannot be taken" in done.stderr
    assert "What served still serves." in done.stderr
    tables = {item["table"] for item in await told(fresh, "projections", "parked", "users")}
    assert tables == {USERS.view, f"{USERS.view}_1"}
    (told_,) = (await status(fresh))["rebuilds"]
    assert told_["state"] == "stopped"
    await told(fresh, "projections", "discard", "users", str(position), "--reason", "it is broken")
    assert (await told(fresh, "projections", "rebuild", "users"))[0]["table"] == f"{USERS.view}_2"


async def test_verifying_tells_what_differs_and_no_more_than_it_may(fresh: Site):
    person = await fresh.seen(await fresh.person())
    (told_,) = await told(fresh, "projections", "verify", "users")
    assert (told_["equal"], told_["differences"], told_["table"]) == (True, 0, USERS.view)
    await change(fresh, f"UPDATE views.{USERS.view} SET email = 'eve@example.com' WHERE id = $1", person.id)
    done = await muster(fresh, "projections", "verify", "users")
    assert done.exit_code == 1
    assert f"{person.id}: wrong in email\n" in done.stdout
    assert "eve@example.com" not in done.stdout
    assert "1 rows of 1 keys differ." in done.stdout
    shown = await muster(fresh, "projections", "verify", "users", "--show")
    assert f"email: eve@example.com instead of {person.email}" in shown.stdout
    done = await muster(fresh, "projections", "verify", "users", "--json")
    assert isinstance(done.exception, SystemExit), done.exception
    difference, summary = map(json.loads, done.stdout.splitlines())
    assert difference == {
        "kind": "wrong",
        "key": str(person.id),
        "identity": {"id": str(person.id)},
        "columns": ["email"],
    }
    assert (summary["equal"], summary["differing_keys"]) == (False, 1)
    done = await muster(fresh, "projections", "verify", "users", "--repair")
    assert (done.exit_code, "1 keys were put right." in done.stdout) == (0, True)
    view = await fresh.get(f"/v1/users/{person.id}", fresh.administrator)
    assert view.json()["email"] == person.email


def test_progress_is_one_line_on_a_terminal_and_plain_lines_elsewhere(capsys, monkeypatch):
    steps = [("building", 0, 9_000), ("indexing", 9_000, 9_000), ("following", 9_000, 9_000)]
    for terminal, between in ((False, "\n"), (True, "\n\r")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        meter = Meter()
        for state, done, total in steps:
            meter.at(state, done, total)
            meter.at(state, done, total)
        meter.end()
        told = capsys.readouterr().err
        assert told.strip().split(between) == [f"{state}: {done:,} of {total:,} events" for state, done, total in steps]


def test_progress_is_told_with_how_fast_it_goes_and_how_long_it_takes(capsys):
    now = [100.0]
    meter = Meter(lambda: now[0])
    steps = [(2, 3_000), (0.5, 4_000), (1.5, 7_000), (2, 9_000)]
    for seconds, done in steps:
        now[0] += seconds
        meter.at("building", done, 9_000)
    meter.at("indexing", 9_000, 9_000)
    assert capsys.readouterr().err.splitlines() == [
        "building: 3,000 of 9,000 events, 1,500 a second, 4 s left",
        "building: 7,000 of 9,000 events, 1,750 a second, 1 s left",
        "building: 9,000 of 9,000 events, 1,500 a second, 0 s left",
        "indexing: 9,000 of 9,000 events",
    ]
    meter = Meter(lambda: now[0])
    for seconds, done in ((0.5, 4_000), (1.5, 9_000)):
        now[0] += seconds
        meter.keys(done)
    assert capsys.readouterr().err == "9,000 keys compared, 4,500 a second\n"


async def test_a_rebuild_is_told_with_how_fast_it_goes_and_how_long_it_takes(fresh: Site):
    await fresh.database.query(
        "INSERT INTO rebuilds (name, version, state, by_workers, target, processes, done, total, begun_at, told_at) "
        "VALUES ('users', $1, 'building', false, $2, 2, 3000, 9000, now() - interval '2 seconds', now())",
        USERS.version,
        f"{USERS.view}_1",
    )
    (rebuild,) = (await status(fresh))["rebuilds"]
    assert (rebuild["done"], rebuild["total"], rebuild["alive"]) == (3_000, 9_000, False)
    assert (rebuild["rate"], rebuild["seconds_left"]) == (1_500, 4)
    told_so = f"users: the rebuild as {USERS.view}_1 is building: 3,000 of 9,000 events, 1,500 a second, 4 s left"
    assert f"{told_so}; nobody works on it now.\n" in (await muster(fresh, "projections")).stdout
    holder = await connect(fresh.database.url("projector"), "holder")
    await hold(holder, USERS)
    assert f"{told_so}.\n" in (await muster(fresh, "projections")).stdout
    await holder.close()
    await fresh.database.query("UPDATE rebuilds SET state = 'indexing', done = 9000")
    (rebuild,) = (await status(fresh))["rebuilds"]
    assert (rebuild["rate"], rebuild["seconds_left"]) == (0, None)
    assert "is indexing: 9,000 of 9,000 events; nobody" in (await muster(fresh, "projections")).stdout


@pytest.mark.parametrize("path", ["/v1/users", "/v1/me"])
async def test_a_view_that_is_still_being_built_says_so(fresh: Site, path: str):
    await fresh.database.query("UPDATE read_models SET serving = NULL")
    await fresh.database.query(f"SELECT pg_notify('projected', '{USERS.view}')")

    async def is_behind() -> bool:
        return (await fresh.get(path, fresh.administrator)).status_code == 503

    await until(is_behind)
    answer = await fresh.get(path, fresh.administrator)
    assert answer.json()["type"].endswith("/problems/view-behind")
    assert "being built" in answer.json()["detail"]
    assert answer.headers["retry-after"]
