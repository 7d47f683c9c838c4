"""`muster keys` and `muster claims`, as an operator runs them."""

import base64
import json

from commands.signing_keys import read_signing_keys
from tests.api.console import ran
from tests.api.site import PASSWORD, environment_for, served
from tests.api.test_cli import run
from tests.support import NOON, Database

NEW_KEY = base64.urlsafe_b64encode(b"a newer master key with 32 bytes").decode()
NEW_ADDRESS = {"email": "moved@example.com", "password": PASSWORD}


async def test_keys_are_rotated_and_people_go_on_signing_in(database: Database):
    async with served(database) as site:
        person = await site.person()
    old = environment_for(database)
    new = old | {"MUSTER_MASTER_KEY": NEW_KEY}
    refused = await ran(new, "keys", "rotate")
    assert refused.exit_code == 2
    assert "MUSTER_PREVIOUS_MASTER_KEYS" in refused.stderr
    both = new | {"MUSTER_PREVIOUS_MASTER_KEYS": old["MUSTER_MASTER_KEY"]}
    told = await ran(both, "keys", "rotate")
    assert told.exit_code == 0, told.stderr
    assert "all are under the current master key" in told.stdout
    assert "a second" in told.stderr
    assert (
        await ran(new, "keys", "rotate")
    ).stdout == "0 keys are wrapped anew; all are under the current master key.\n"
    database.master_key = b"a newer master key with 32 bytes"
    async with served(database) as site:
        assert (await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})).status_code == 201


async def test_signing_keys_are_rotated(database: Database):
    async with served(database) as site:
        environment = environment_for(database)
        first = (await site.get("/.well-known/jwks.json")).json()["keys"][0]["kid"]
        told = await ran(environment, "keys", "rotate-signing", "--json")
        assert told.exit_code == 0, told.stderr
        rotated = json.loads(told.stdout)
        assert rotated.keys() == {"key_id", "signs_from", "retired", "revoked"}
        assert [key["key_id"] for key in rotated["retired"]] == [first]
        in_words = await ran(environment, "keys", "rotate-signing", "--announce", "1")
        assert " is announced, and signs in 1 seconds." in in_words.stderr
        assert f"\n{first} signs no longer, and verifies until " in in_words.stdout
        third = in_words.stdout.partition(" signs since ")[0]
        revoked = await ran(environment, "keys", "rotate-signing", "--now")
        assert f"\n{third} neither signs nor verifies any more." in revoked.stdout
        keys = await read_signing_keys(site.app.process.writer, database.master, NOON)
        assert len(keys) == 1


async def test_signing_keys_are_not_rotated_under_a_master_key_that_the_api_does_not_have(database: Database):
    async with served(database):
        environment = environment_for(database)
    other = environment | {
        "MUSTER_MASTER_KEY": NEW_KEY,
        "MUSTER_PREVIOUS_MASTER_KEYS": environment["MUSTER_MASTER_KEY"],
    }
    told = await ran(other, "keys", "rotate-signing")
    assert told.exit_code == 2
    assert "run muster keys rotate first" in told.stderr
    assert (await ran(other, "keys", "rotate")).exit_code == 0
    assert (await ran(other, "keys", "rotate-signing")).exit_code == 0
    told = await ran(other, "keys", "rotate-signing", "--now", "--announce", "5")
    assert told.exit_code == 2
    assert "exclude each other" in told.stderr


async def test_claims_are_checked_and_rebuilt(database: Database):
    async with served(database) as site:
        person = await site.person()
        environment = environment_for(database)
        assert "Claims are what the log says" in (await ran(environment, "claims", "rebuild", "--check")).stdout
        await database.query("DELETE FROM claims")
        wrong = await ran(environment, "claims", "rebuild", "--check")
        assert wrong.exit_code == 1
        assert "1 added, 0 removed, 0 changed" in wrong.stderr
        told = await ran(environment, "claims", "rebuild")
        assert told.exit_code == 0, told.stderr
        assert "1 added, 0 removed, 0 changed" in told.stdout
        assert "a second" in told.stderr
        assert (await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})).status_code == 201


def test_says_when_there_is_no_database():
    environment = environment_for(Database("postgresql://muster:wrong@127.0.0.1:1/none"))
    for command in (("keys", "rotate"), ("keys", "rotate-signing"), ("claims", "rebuild")):
        told = run(*command, env=environment)
        assert told.returncode == 1
        assert "the database does not take it" in told.stderr
        assert "Traceback" not in told.stderr


async def test_addresses_are_freed_of_those_who_did_not_prove_them_or_left_them(database: Database):
    environment = environment_for(database)
    async with served(database) as site:
        await site.registered("late@example.com")
        person = await site.person()
        asked = await site.post(f"/v1/users/{person.id}/email/change", NEW_ADDRESS, person)
        assert asked.status_code == 204, asked.text
        proved = await site.post(f"/v1/users/{person.id}/email/verify", {"token": site.link(person.id, 3)})
        assert proved.status_code == 204, proved.text
        assert (
            await ran(environment, "claims", "lapse")
        ).stdout == "0 registrations have lapsed; former addresses of 0 users are free.\n"
        await database.query("UPDATE claims SET claimed_at = claimed_at - interval '80 hours'")
        await database.query("ALTER TABLE stored_events DISABLE TRIGGER append_only")
        await database.query("UPDATE stored_events SET recorded_at = recorded_at - interval '80 hours'")
        told = await ran(environment, "claims", "lapse")
        assert told.stdout == "1 registrations have lapsed; former addresses of 1 users are free.\n", told.stderr
        assert "2 of 2 addresses" in told.stderr
        assert await site.events_after(0) != []
    assert "Claims are what the log says" in (await ran(environment, "claims", "rebuild", "--check")).stdout


def test_settings_of_the_data_folder_count_only_where_there_are_none(tmp_path):
    kept = environment_for(Database("postgresql://muster:wrong@127.0.0.1:1/none"))
    (tmp_path / "environment.json").write_text(json.dumps({name: kept[name] for name in kept if name != "PATH"}))
    bare = {"PATH": kept["PATH"], "MUSTER_DATA": str(tmp_path)}
    found = run("users", "list", env=bare)
    assert (found.returncode, "the database does not take it" in found.stderr) == (1, True)
    mixed = run("users", "list", env=bare | {"MUSTER_SECRET": kept["MUSTER_SECRET"]})
    assert (mixed.returncode, "MUSTER_DATABASE_URL is missing." in mixed.stderr) == (2, True)
