"""`muster erase`, and what it finds when something is left."""

import json
from mailbox import Maildir

from api.kept_mail import take_away
from api.scanning import scan_files
from api.traces import Traces, spellings, traces_of
from events.personal import FORGOTTEN
from events.user import DisplayNameChanged, OwnMetadataChanged, UserRegistered
from tests.api.console import muster, told
from tests.events.examples import KEY
from tests.support import History


async def test_someone_is_erased_and_nothing_is_found(site):
    person = await site.seen(await site.person())
    await site.request("PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": "Ada Lovelace"})
    done = await muster(site, "erase", person.email, "--yes", "--verify", "--reason", "asked by letter")
    places = done.stdout
    assert "UserErased" in places
    assert "public.stored_events" in places
    assert "views.users" in places
    # No Redis is there in this house, and what cannot be looked through is not said to be empty.
    assert "Redis, which does not answer" in places
    assert done.exit_code == 1
    found = {line.rsplit(maxsplit=1)[0].strip(): line.rsplit(maxsplit=1)[1] for line in places.splitlines()[1:]}
    assert {count for where, count in found.items() if "Redis" not in where and count.isdigit()} == {"0"}
    assert (await site.get(f"/v1/users/{person.id}", site.administrator)).status_code == 404


async def test_what_is_left_in_a_table_or_a_log_is_found(site, tmp_path):
    person = await site.person()
    await site.database.query(
        "INSERT INTO parked_events (consumer, partition, position, key, cause) VALUES ('planted', 0, 1, $1, $2)",
        person.id,
        f"planted for {person.email.upper()}",
    )
    (tmp_path / "api.log").write_text(f"fine\nmail to {person.email}\n")
    lines = (await muster(site, "erase", str(person.id), "--yes", "--verify", "--json", "--logs", str(tmp_path))).stdout
    found = {place["where"]: place["found"] for place in map(json.loads, lines.splitlines()) if "where" in place}
    assert found["public.parked_events"] == 1
    assert found[str(tmp_path)] == 1
    assert found["public.stored_events"] == 0
    await site.database.query("DELETE FROM parked_events WHERE consumer = 'planted'")


async def test_nobody_is_erased_who_was_not_meant(site):
    person = await site.person()
    done = await muster(site, "erase", person.email, given="n\n")
    assert done.exit_code == 1
    assert (await site.get("/v1/me", person)).status_code == 200
    (told_,) = await told(site, "erase", person.email, "--yes")
    assert told_["events"] == ["UserErased", "SessionEnded"]


async def test_whoever_was_erased_before_is_looked_up_by_id(site):
    person = await site.person()
    await muster(site, "erase", person.email, "--yes")
    done = await muster(site, "erase", str(person.id), "--yes", "--verify")
    assert done.exit_code == 0, done.stderr
    assert "nothing to change" in done.stdout
    assert "erased before" in done.stderr


def test_traces_are_what_is_personal_in_every_spelling():
    history = History().of(
        UserRegistered("Ada@Exämple.com", "Éva", "en-GB"),
        DisplayNameChanged('Ada "Countess" King'),
        OwnMetadataChanged((("theme", "dark green"), ("pets", {"cat": "Mr Whiskers"}))),
    )
    traces = traces_of(history, KEY)
    assert {"ada@exämple.com", "ada@xn--exmple-cua.com"} <= traces.own
    assert {'ada "countess" king', 'ada \\"countess\\" king', "dark green", "mr whiskers"} <= traces.shared
    assert not {"theme", "en-gb"} & (traces.own | traces.shared)


def test_short_words_that_stand_everywhere_are_not_looked_for():
    assert spellings("Ada") == set()
    assert spellings("Éva Nagy") == {"éva nagy", "eva nagy", "\\u00c9va nagy".lower()}


def test_mail_to_them_is_taken_away_and_other_mail_stays(tmp_path):
    folder = tmp_path / "mail"
    maildir = Maildir(folder)
    for to, identity in (("ada@example.com", "1"), ("bob@example.com", "2"), ("bob@example.com", "3")):
        maildir.add(f"Delivered-To: {to}\nMessage-ID: <{identity}@muster.example>\n\nHello ada@example.com\n")
    assert take_away(folder, {"3"}, {"ada@example.com"}) == 2
    assert [message["Message-ID"] for message in Maildir(folder)] == ["<2@muster.example>"]
    assert take_away(folder, {"3"}, {"ada@example.com"}) == 0
    assert take_away(tmp_path / "nowhere", {"3"}, set()) == 0


def test_files_are_looked_through_line_by_line(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_bytes(b"\xff\xfe\nADA@example.com came\n")
    (tmp_path / "b").write_bytes(b"nobody\n")
    place = scan_files("logs", tmp_path, Traces(own=frozenset({"ada@example.com"})))
    assert (place.looked_at, place.found) == (2, 1)


def test_a_key_that_is_destroyed_leaves_nothing_to_look_for():
    assert traces_of(History().of(UserRegistered(FORGOTTEN, FORGOTTEN, FORGOTTEN)), None) == Traces()
