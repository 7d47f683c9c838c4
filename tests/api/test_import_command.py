"""`muster import` and `muster users export`, as an operator runs them."""

import json
import random
import signal
import stat
import sys
from typing import Any

import pytest
from passlib.hash import argon2

from api.migrating import migrated
from tests.api.console import muster, ran
from tests.api.site import PASSWORD, environment_for, settings_for
from tests.children import started
from tests.support import until

HASHED = argon2.using(type="ID", memory_cost=8, time_cost=1, parallelism=1).hash(PASSWORD)


@pytest.fixture
async def empty(database):
    """A Muster without anyone in it."""
    await migrated(settings_for(database))
    return database


async def run(database, *arguments, given=b""):
    return await ran(environment_for(database), *arguments, given=given)


def rows(count, seed=0):
    """People of all kinds."""
    luck = random.Random(seed)
    for number in range(count):
        row: dict[str, Any] = {"email": f"Mover{number}@example.com", "external_id": f"crm:{number}"}
        row["email_verified"] = luck.random() < 0.8
        if luck.random() < 0.7:
            row["display_name"] = luck.choice(["Ada Lovelace", "Jos\u00e9", "\u30a2\u30c0", 'O\'Neil, "Bob"'])
        if luck.random() < 0.5:
            row |= {"locale": "en-gb", "time_zone": "europe/london", "picture_url": "https://example.com/a.png"}
        if luck.random() < 0.5:
            row["metadata"] = {
                "own": {"z": 1, "a": [1.0, None, {"y": True, "b": "\u00e9"}]},
                "admin": {"plan": {"seats": 3}},
            }
        if luck.random() < 0.3:
            row["roles"] = luck.sample(["auditor", "analyst"], luck.randint(1, 2))
        if row["email_verified"] and luck.random() < 0.1:
            row["roles"] = ["administrator"]
        row["suspended"] = luck.random() < 0.1
        if luck.random() < 0.6:
            row["registered_at"] = f"2019-05-{luck.randint(10, 28)}T09:30:00.{luck.randint(0, 999_999):06}+02:00"
        if luck.random() < 0.6:
            row["password_hash"] = HASHED
        yield row


def written(path, lines):
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return str(path)


async def test_what_is_exported_and_imported_elsewhere_is_exported_the_same_to_the_byte(
    site, make_database, empty, tmp_path
):
    """Also of those who have lived here."""
    person = await site.person("analyst")
    body = {"display_name": "Countess", "time_zone": "Asia/Tokyo"}
    assert (await site.request("PATCH", f"/v1/users/{person.id}/profile", person, json=body)).status_code == 204
    own = {"own": {"z": 1, "a": {"c": 2, "b": [None]}}}
    assert (await site.request("PATCH", f"/v1/users/{person.id}/metadata", person, json=own)).status_code == 204
    gone = await site.person()
    assert (await site.post(f"/v1/users/{gone.id}/suspend", {}, site.administrator)).status_code == 204
    await site.registered()
    first = await muster(site, "import", written(tmp_path / "people", rows(150)))
    assert first.exit_code == 0, first.stderr

    out = tmp_path / "first"
    exported = await muster(site, "users", "export", "--with-password-hashes", "--output", str(out))
    assert exported.exit_code == 0, exported.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    done = await run(empty, "import", str(out))
    assert done.exit_code == 0, done.stderr
    again = await run(empty, "users", "export", "--with-password-hashes")
    assert again.exit_code == 0, again.stderr
    assert again.stdout_bytes == out.read_bytes()
    assert len(out.read_bytes().splitlines()) >= 153
    once_more = await run(empty, "import", str(out), "--json")
    assert once_more.exit_code == 0
    summary = json.loads(once_more.stdout.splitlines()[-1])["summary"]
    assert summary["unchanged"] == summary["rows"] >= 153


async def test_goes_over_no_table_that_was_small_when_postgres_looked_at_it(empty, tmp_path):
    """Plans are kept: made among ten rows, they would be those of an hour later, among a million."""

    async def gone_over():
        counted = "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname = ANY($1)"
        tables = ["stored_events", "claims", "secrets", "data_keys"]
        return {row["relname"]: row["seq_tup_read"] for row in await empty.query(counted, tables)}

    people = [*rows(110)]
    assert (await run(empty, "import", written(tmp_path / "few", people[:10]))).exit_code == 0
    await empty.query("ANALYZE")
    before = await gone_over()
    assert (await run(empty, "import", written(tmp_path / "more", people[10:]))).exit_code == 0
    assert await gone_over() == before


async def test_the_api_exports_the_same_without_passwords(site, auditor):
    answer = await site.get("/v1/exports/users", auditor)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    console = await muster(site, "users", "export")
    assert console.stdout_bytes == answer.content
    assert b"password_hash" not in answer.content
    assert answer.headers["event-position"] == str(await site.head())
    found = {row["email"]: row for row in map(json.loads, answer.text.splitlines())}
    assert found[auditor.email]["id"] == str(auditor.id)
    assert found[auditor.email]["roles"] == ["auditor"]


async def test_the_head_of_an_export_comes_without_the_rest(site, auditor):
    answer = await site.request("HEAD", "/v1/exports/users", auditor)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-ndjson"


async def test_who_was_forgotten_is_not_exported(empty, tmp_path):
    await run(empty, "import", written(tmp_path / "people", rows(3)))
    await empty.query(
        "UPDATE data_keys SET wrapped = NULL, forgotten_at = now() WHERE subject_id = "
        "(SELECT min(originator_id::text)::uuid FROM stored_events WHERE topic = 'UserImported')"
    )
    assert len((await run(empty, "users", "export")).stdout.splitlines()) == 2


async def test_tells_people_how_many_and_what_was_refused(empty, tmp_path):
    lines = [*rows(3), {"email": "x"}, *({"email": "Mover1@example.com"} for _ in range(30)), b"{"]
    report = tmp_path / "report"
    done = await run(empty, "import", written(tmp_path / "people", lines), "--report", str(report))
    assert done.exit_code == 2
    assert done.stdout == "35 rows: 3 imported, 0 unchanged, 0 differ, 32 refused.\n"
    told = done.stderr.splitlines()
    assert told[0].startswith("line 4: invalid-fields: /email: This is not an address")
    assert told[1] == "line 5: address-taken: /email: Another account has this address."
    assert told[20] == "… and 12 more: --report FILE tells all of them."
    reported = [json.loads(line) for line in report.read_text().splitlines()]
    assert [line["line"] for line in reported] == list(range(4, 36))
    assert reported[-1]["reason"] == "malformed-body"
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


async def test_takes_standard_input_and_tells_programs_of_every_row(empty):
    given = b"".join(json.dumps(row).encode() + b"\n" for row in rows(20))
    done = await run(empty, "import", "-", "--json", given=given)
    assert done.exit_code == 0, done.stderr
    *lines, summary = map(json.loads, done.stdout.splitlines())
    assert [line["line"] for line in lines] == list(range(1, 21))
    assert summary["summary"]["imported"] == 20
    differing = given.replace(b"Lovelace", b"King")
    again = await run(empty, "import", "-", "--json", given=differing)
    assert again.exit_code == 2
    assert {json.dumps(line.get("differs")) for line in map(json.loads, again.stdout.splitlines())} == {
        '["display_name"]',
        "null",
    }


async def test_why_all_are_brought_in_is_said_of_those_whose_row_does_not_say_it(empty, tmp_path):
    file = written(tmp_path / "people", [*rows(1), {"email": "by@example.com", "reason": "by hand"}])
    done = await run(empty, "import", file, "--json", "--reason", "moving in")
    assert done.exit_code == 0, done.stderr
    for line, reason in zip(done.stdout.splitlines(), ("moving in", "by hand"), strict=False):
        history = await run(empty, "users", "history", json.loads(line)["user_id"], "--json")
        assert {json.loads(event)["reason"] for event in history.stdout.splitlines()} == {reason}


async def test_a_dry_run_does_nothing(empty, tmp_path):
    file = written(tmp_path / "people", [*rows(10), {"email": "x"}])
    before = await empty.query("SELECT count(*) FROM stored_events")
    done = await run(empty, "import", file, "--dry-run")
    assert done.exit_code == 2
    assert done.stdout.endswith(
        "10 imported, 0 unchanged, 0 differ, 1 refused; nothing was done, for it was a dry run.\n"
    )
    assert await empty.query("SELECT count(*) FROM stored_events") == before


async def test_tells_what_it_cannot_read_or_write(empty, tmp_path):
    missing = await run(empty, "import", str(tmp_path / "nothing"))
    assert missing.exit_code == 2
    assert "cannot be read" in missing.stderr
    nowhere = str(tmp_path / "nothing" / "report")
    for arguments in (("import", "-", "--report", nowhere), ("users", "export", "--output", nowhere)):
        done = await run(empty, *arguments)
        assert done.exit_code == 1
        assert "cannot be written" in done.stderr


async def test_one_that_is_killed_goes_on_where_it_was(empty, tmp_path):
    count = 1_500
    file = written(tmp_path / "people", rows(count))

    async def some() -> bool:
        (row,) = await empty.query("SELECT count(*) AS done FROM stored_events WHERE topic = 'UserImported'")
        return bool(row["done"] > 100)

    child = started([sys.executable, "-m", "api.cli", "import", file], env=environment_for(empty))
    await until(some)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = await run(empty, "import", file, "--json")
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    assert (summary["rows"], summary["refused"], summary["differs"]) == (count, 0, 0)
    assert summary["unchanged"] >= 100
    (row,) = await empty.query("SELECT count(*) AS people FROM claims WHERE scope = 'external'")
    assert row["people"] == count
