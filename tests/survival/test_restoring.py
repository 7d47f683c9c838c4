"""The restore drill: back up, go on, erase someone, lose everything, restore; nobody comes back, and clients are told."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from api.installation import postgres_programs
from events.epochs import NotReconciled
from tests.api.conftest import whole
from tests.api.console import ran
from tests.api.site import PASSWORD, Person, Site, environment_for, in_one_task, projected, served
from tests.support import Database

STREAM = "/v1/events/stream?follow=false"


async def muster(database: Database, *arguments: str) -> Result:
    """What became of a command, asked in a thread of its own."""
    environment = environment_for(database)
    return await ran(environment, *arguments)


async def backed_up(database: Database, folder: Path, *options: str) -> tuple[list[Path], list[Path]]:
    """The files of the log and of the keys that there are afterwards, the newest last."""
    done = await muster(database, "backup", str(folder / "log"), "--keys", str(folder / "keys"), *options)
    assert done.exit_code == 0, done.output
    return sorted((folder / "log").glob("*")), sorted((folder / "keys").glob("*"))


async def restore(database: Database, postgres: Any, file: Path) -> None:
    """Lose the database, and bring back what is in the file."""
    name = database.name
    await asyncio.to_thread(postgres.drop, name)
    await asyncio.to_thread(postgres.create, name)
    program = str(postgres_programs(None) / "pg_restore")
    command = [program, "--exit-on-error", "--no-password", f"--dbname={database.owner_url}", str(file)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    database.keys.heard("")


class Before:
    """Who was there when everything was lost."""

    def __init__(self, administrator: Person, ada: Person, bob: Person, carl: Person, cursor: str, told: str) -> None:
        self.administrator, self.ada, self.bob, self.carl = administrator, ada, bob, carl
        self.cursor, self.told = cursor, told


async def lived(database: Database, folder: Path) -> tuple[Before, list[Path], list[Path]]:
    """A backup; then someone registers, someone is erased, and the keys are backed up once more."""
    async with in_one_task(whole(database)) as site:
        ada, bob = await site.person(), await site.seen(await site.person())
        page = await site.get("/v1/users?limit=1", site.administrator)
        await backed_up(database, folder)
        carl = await site.person()
        erased = await site.post(f"/v1/users/{ada.id}/erase", {}, site.administrator)
        assert erased.status_code == 204
        log, keys = await backed_up(database, folder, "--only-keys")
        stream = await site.get(f"{STREAM}&after=0", site.administrator)
        *_, told = (line.removeprefix("id: ") for line in stream.text.splitlines() if line.startswith("id: "))
        return Before(site.administrator, ada, bob, carl, page.json()["next"], told), log, keys


async def signed_in(site: Site, person: Person) -> int:
    return (await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})).status_code


async def test_nobody_comes_back_who_was_erased_and_clients_are_told_to_begin_anew(database, postgres, tmp_path):
    before, (log,), keys = await lived(database, tmp_path)
    assert len(keys) == 2
    await restore(database, postgres, log)
    with pytest.RaisesGroup(NotReconciled):
        async with served(database):
            pass
    refused = await muster(database, "api")
    assert refused.exit_code == 2
    done = await muster(database, "keys", "reconcile", str(keys[-1]))
    assert done.exit_code == 0, done.output
    assert "Epoch 2 begins" in done.output
    assert "1 people were erased again" in done.output
    # The first worker finds that the tables are gone and builds them; here they are filled by hand.
    await database.query("DELETE FROM read_models")
    await database.query("DELETE FROM checkpoints")
    async with in_one_task(served(database)) as site, projected(database):
        assert (await site.get("/v1/me", before.bob)).status_code == 401
        assert await signed_in(site, before.ada) == 401
        assert await signed_in(site, before.carl) == 401
        assert await signed_in(site, before.bob) == 201
        administrator = await site.signed_in(before.administrator.email)
        for path, told in (
            (f"/v1/users?cursor={before.cursor}", {}),
            (STREAM, {"Last-Event-ID": before.told}),
            (STREAM, {"Last-Event-ID": before.told.removeprefix("1-")}),
        ):
            stale = await site.get(path, administrator, headers=told)
            assert (stale.status_code, stale.json()["type"].rpartition("/")[2]) == (410, "log-restored")
        headers = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
        listed = (await site.get("/v1/users", administrator, headers=headers)).json()["items"]
        assert {item["id"] for item in listed} == {str(before.bob.id), str(administrator.id)}
        found = await muster(database, "erase", str(before.ada.id), "--yes", "--verify")
        assert found.exit_code == 0, found.output
        again = await site.person(email=before.ada.email)
        assert again.id != before.ada.id


async def test_keys_that_are_older_than_the_log_are_not_taken_for_all(database, postgres, tmp_path):
    async with in_one_task(whole(database)) as site:
        _, (keys,) = await backed_up(database, tmp_path, "--only-keys")
        person = await site.person()
        done = await muster(database, "backup", str(tmp_path / "log"), "--keys", str(tmp_path / "newer"))
        assert done.exit_code == 0, done.output
    (log,) = (tmp_path / "log").glob("*")
    await restore(database, postgres, log)
    refused = await muster(database, "keys", "reconcile", str(keys))
    assert refused.exit_code == 2
    assert "of 1 people in the log the keys are missing" in refused.stderr
    gone = await muster(database, "keys", "reconcile", str(keys), "--forget-missing")
    assert gone.exit_code == 0, gone.output
    async with in_one_task(served(database)) as site, projected(database):
        assert await signed_in(site, person) == 401
        assert (await site.events_after(0)).count("UserErased") == 1


async def test_a_backup_of_the_log_tells_nothing_personal_by_itself(database, tmp_path):
    async with in_one_task(whole(database)) as site:
        person = await site.person()
        (log,), (keys,) = await backed_up(database, tmp_path)
    programs = postgres_programs(None)
    told = await asyncio.to_thread(
        subprocess.run, [str(programs / "pg_restore"), "--file=-", str(log)], capture_output=True, check=True
    )
    assert person.email.encode() not in told.stdout
    assert b"COPY public.stored_events" in told.stdout
    assert b"views.users" not in told.stdout
    for file in (log, keys):
        assert file.stat().st_mode & 0o077 == 0


async def test_old_backups_go_and_the_newest_stays(database, tmp_path):
    for name in (
        "muster-keys-20200101T000000000000Z.ndjson",
        "muster-keys-20200102T000000000000Z.ndjson",
        "other.ndjson",
    ):
        (tmp_path / "keys").mkdir(exist_ok=True)
        (tmp_path / "keys" / name).touch()
    _, keys = await backed_up(database, tmp_path, "--only-keys", "--keep-keys-days", "7")
    assert [file.name for file in keys][-1] == "other.ndjson"
    assert len(keys) == 2


async def test_log_and_keys_do_not_lie_in_one_folder(database, tmp_path):
    refused = await muster(database, "backup", str(tmp_path), "--keys", str(tmp_path))
    assert refused.exit_code == 2
    assert list(tmp_path.iterdir()) == []


async def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(database, tmp_path):
    program = tmp_path / "programs" / "pg_dump"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f"cd '{tmp_path}'\n"
        'for option; do case "$option" in --file=*) echo half > "${option#--file=}" ;; esac; done\n'
        "echo no space left >&2\nexit 1\n"
    )
    program.chmod(0o755)
    options = ("--keys", str(tmp_path / "keys"), "--programs", str(program.parent))
    failed = await muster(database, "backup", str(tmp_path / "log"), *options)
    assert failed.exit_code == 1
    assert "no space left" in failed.stderr
    assert list((tmp_path / "log").iterdir()) == []
