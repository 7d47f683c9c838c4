"""How views do, and what becomes of events that they could not take, over HTTP and at the console."""

import re
from uuid import UUID

import pytest
from uuid_utils.compat import uuid4, uuid7

from events.append import Append, NewEvent
from events.codec import write_metadata
from events.event import ANONYMOUS, Metadata
from events.projection import stream_id
from projections.users import USERS
from tests.api.console import muster, refused, told
from tests.api.site import Person, Site, served
from tests.support import Database, until

PARKED = "/v1/projections/users/parked"


async def broken(site: Site, person: Person) -> int:
    """The position of an event of this person that nobody can read."""
    (row,) = await site.database.query(
        "SELECT max(originator_version) AS version FROM stored_events WHERE originator_id = $1", person.id
    )
    metadata = write_metadata(Metadata(actor=ANONYMOUS, command="Test", correlation_id=uuid7()))
    event = NewEvent(person.id, "user", row["version"] + 1, "DisplayNameChanged", b"not json", person.id, metadata)
    return int(await site.app.process.committer.commit(Append(uuid7(), [event], {person.id: row["version"]})))


async def parked(site: Site) -> list[int]:
    """The positions of what is parked."""
    answer = await site.get(PARKED, site.administrator)
    assert answer.status_code == 200, answer.text
    return [item["position"] for item in answer.json()["items"]]


@pytest.fixture
async def person(fresh: Site) -> Person:
    """Someone whom the view does not know any more."""
    person = await fresh.seen(await fresh.person())
    await broken(fresh, person)
    await until(lambda: parked(fresh))
    return person


async def test_a_user_of_whom_something_could_not_be_taken_is_a_problem_and_no_stale_answer(
    fresh: Site, person: Person
):
    for path, asker in ((f"/v1/users/{person.id}", fresh.administrator), ("/v1/me", person)):
        answer = await fresh.get(path, asker)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert answer.json()["type"].endswith("/problems/view-parked")
        unchanged = await fresh.get(path, asker, headers={"If-None-Match": "*"})
        assert unchanged.status_code == 503
    assert (await fresh.get(f"/v1/users/{person.id}", await fresh.person())).status_code == 404
    assert (await fresh.get("/v1/me", fresh.administrator)).status_code == 200


async def test_lists_leave_such_a_user_out_and_say_so(fresh: Site, person: Person):
    answer = await fresh.get("/v1/users", fresh.administrator)
    assert str(person.id) not in answer.text
    assert answer.headers["left-out"] == "1"


async def test_at_the_console_it_is_told_too(fresh: Site, person: Person):
    shown = await muster(fresh, "users", "show", str(person.id))
    assert shown.exit_code == 1
    assert "does not know how they are now" in shown.stderr


async def test_what_is_parked_is_listed_with_its_cause(fresh: Site, person: Person):
    (item,) = (await fresh.get(PARKED, fresh.administrator)).json()["items"]
    assert item["key"] == str(person.id)
    assert item["type"] == "DisplayNameChanged"
    assert item["cause"].startswith("SealBroken")
    assert await told(fresh, "projections", "parked", "users") == [item]
    table = (await muster(fresh, "projections", "parked")).stdout.splitlines()
    assert table[0].split()[:4] == ["POSITION", "TABLE", "USER", "EVENT"]
    assert "SealBroken" in table[1]


async def test_a_discarded_event_is_passed_over_at_once_and_the_decision_stands_in_the_log(fresh: Site, person: Person):
    (position,) = await parked(fresh)
    path = f"{PARKED}/{position}/discard"
    refused = await fresh.post(path, {}, fresh.administrator)
    assert refused.status_code == 400
    rehearsed = await fresh.post(path, {"reason": "it is broken"}, fresh.administrator, headers={"Prefer": "dry-run"})
    assert [event["type"] for event in rehearsed.json()["events"]] == ["ParkedEventDiscarded"]
    assert await parked(fresh) == [position]
    before = await fresh.head()
    for _ in range(2):
        answer = await fresh.post(path, {"reason": "it is broken"}, fresh.administrator)
        assert answer.status_code == 204, answer.text
    assert await fresh.events_after(before) == ["ParkedEventDiscarded"]
    wait = {"Min-Position": answer.headers["event-position"], "Prefer": "wait=10"}
    seen = await fresh.get(f"/v1/users/{person.id}", fresh.administrator, headers=wait)
    assert (seen.status_code, seen.json()["email"]) == (200, person.email)
    assert await parked(fresh) == []
    (event,) = (await fresh.get("/v1/events?type=ParkedEventDiscarded", fresh.administrator)).json()["items"]
    assert event["data"] == {"name": "users", "position": position}
    assert (event["reason"], event["subject"]) == ("it is broken", str(person.id))
    assert event["actor"] == {"type": "user", "id": str(fresh.administrator.id)}
    assert UUID(event["stream"]) == stream_id("users")


async def test_a_retry_is_recorded_once_until_it_was_done(fresh: Site, person: Person):
    before, (position,) = await fresh.head(), await parked(fresh)
    body = {"key": str(person.id), "reason": "a newer worker is here"}
    answer = await fresh.post(f"{PARKED}/retry", body, fresh.administrator)
    assert answer.status_code == 204, answer.text
    assert await fresh.events_after(before) == ["ParkedEventsRetried"]
    assert await parked(fresh) == [position]
    nothing = await fresh.post(f"{PARKED}/retry", {"key": str(uuid4())}, fresh.administrator)
    assert nothing.status_code == 204
    assert await fresh.events_after(before) == ["ParkedEventsRetried"]


async def test_the_operator_retries_and_discards_at_the_console(fresh: Site, person: Person):
    (position,) = await parked(fresh)
    (done,) = await told(fresh, "projections", "retry", "users", "--all", "--reason", "try again")
    assert done["events"] == ["ParkedEventsRetried"]
    (done,) = await told(fresh, "projections", "retry", "users", str(person.id))
    assert done["id"] == str(stream_id("users"))
    assert "Missing option '--reason'" in await refused(fresh, "projections", "discard", "users", str(position))
    discard = ("projections", "discard", "users", str(position), "--reason", "it is broken")
    (would,) = await told(fresh, *discard, "--dry-run")
    assert [event["type"] for event in would["events"]] == ["ParkedEventDiscarded"]
    assert await parked(fresh) == [position]
    (done,) = await told(fresh, *discard)
    assert done["events"] == ["ParkedEventDiscarded"]

    async def freed() -> bool:
        return not await parked(fresh)

    await until(freed)
    (again,) = await told(fresh, "projections", "discard", "users", str(position), "--reason", "it is broken")
    assert again["changed"] is False
    reasons = {
        item["reason"] for item in (await fresh.get("/v1/events?limit=200", fresh.administrator)).json()["items"]
    }
    assert {"try again", "it is broken"} <= reasons


async def test_nobody_is_told_with_what_to_decide(site: Site):
    for arguments, why in (
        (("retry", "strangers", "--all"), "There is no such read model. `muster projections` shows"),
        (("discard", "users", "1", "--reason", "x"), "has parked no such event. `muster projections parked` shows"),
        (("retry", "users"), "Name a USER, or say --all."),
    ):
        assert why in await refused(site, "projections", *arguments)
    for path in ("strangers/parked", "users_v2/parked"):
        assert (await site.get(f"/v1/projections/{path}", site.administrator)).status_code == 404
    strange = await site.post("/v1/projections/strangers/parked/retry", {}, site.administrator)
    assert strange.json()["type"].endswith("/no-such-read-model")


async def test_how_projections_do_is_told_alike_over_http_and_at_the_console(site: Site):
    answer = await site.get("/v1/projections", site.administrator)
    assert answer.status_code == 200
    (users,) = (item for item in answer.json()["items"] if item["name"] == "users")
    assert [part["partition"] for part in users["partitions"]] == [0, 1]
    assert all(part["held_by"] for part in users["partitions"])
    at_the_console = await told(site, "projections")
    assert [item["table"] for item in at_the_console] == [item["table"] for item in answer.json()["items"]]
    table = (await muster(site, "projections")).stdout.splitlines()
    assert table[0].split()[:4] == ["NAME", "TABLE", "STATE", "PARTITION"]
    assert "users" in [line.split()[0] for line in table]


def samples(text: str, name: str) -> dict[str, float]:
    """The samples of a metric, by their labels."""
    found = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


async def test_metrics_tell_of_each_partition(fresh: Site, person: Person):
    text = (await fresh.get("/metrics")).text
    for name in ("position", "behind_events", "behind_seconds", "events_total", "parked_events", "held"):
        of_users = [labels for labels in samples(text, f"muster_projection_{name}") if 'consumer="users_v' in labels]
        assert len(of_users) == 2, name
    parked = samples(text, "muster_projection_parked_events")
    assert sum(number for labels, number in parked.items() if 'consumer="users_v' in labels) == 1
    assert sum(samples(text, "muster_projection_events_total").values()) > 0
    assert samples(text, "muster_deliveries").keys() == {'status="waiting"', 'status="dead"'}


async def test_a_process_is_ready_however_far_views_are_behind(database: Database):
    """Without any worker: what needs no view is done as ever, and where one is needed the answer says that it is behind."""
    async with served(database) as site:
        await site.registered()
        await database.query("INSERT INTO checkpoints VALUES ($1, 0, 1, 0), ('users_v1', 0, 1, 0)", USERS.view)
        await database.query("INSERT INTO parked_events VALUES ($1, 1, 0, $2, 'cause')", USERS.view, uuid4())
        assert (await site.get("/readyz")).status_code == 200
        assert samples((await site.get("/metrics")).text, "muster_projection_behind_events")
