"""What is owed because of what happened, and what became of it, over HTTP and at the console."""

import asyncio
from uuid import UUID

import pytest
from uuid_utils.compat import uuid4

from events.connections import connect
from projections.checkpoints import prepare, take
from projections.reactions.emails import EMAILS
from tests.api.console import history, muster, refused, told
from tests.api.site import Site
from tests.support import until

DRY_RUN = {"Prefer": "dry-run"}


async def owed(site: Site, *statuses: str, subject: UUID | None = None) -> list[str]:
    """The ids of mails to somebody, or to this user, in these states."""
    subject = subject or uuid4()
    ids = []
    for number, status in enumerate(statuses, start=1):
        (row,) = await site.database.query(
            "INSERT INTO deliveries (id, position, reaction, slot, subject_id, status, attempts, cause) "
            "VALUES ($1, $2, 'emails', $3, $4, $5, 8, '550') RETURNING id",
            uuid4(),
            number,
            str(uuid4()),
            subject,
            status,
        )
        ids.append(str(row["id"]))
    return ids


async def react(site: Site) -> None:
    """Write down what is owed because of what happened since the last time, as a worker does it."""
    connection = await connect(site.database.url("projector"), "projector")
    try:
        await prepare(connection, {}, {EMAILS.name: 1})
        checkpoint = await take(connection, EMAILS.name, 0)
        assert checkpoint
        await EMAILS.begin(connection, checkpoint)
        await EMAILS.step(connection, checkpoint)
    finally:
        await connection.close()


async def statuses(site: Site, ids: list[str]) -> list[str]:
    """What became of them."""
    found = [(await site.get(f"/v1/deliveries/{delivery}", site.administrator)).json() for delivery in ids]
    return [delivery["status"] for delivery in found]


async def test_are_listed_by_filters_that_combine_and_page_by_page(site: Site):
    ids = await owed(site, "dead", "sent", "dead", "waiting", "dead")
    (subject,) = {(await site.get(f"/v1/deliveries/{one}", site.administrator)).json()["subject"] for one in ids}
    seen, path = [], f"/v1/deliveries?status=dead&subject={subject}&reaction=emails&limit=2"
    while path:
        page = await site.get(path, site.administrator)
        assert page.status_code == 200, page.text
        seen += [item["id"] for item in page.json()["items"]]
        path = page.links.get("next", {}).get("url", "")
    assert seen == [ids[4], ids[2], ids[0]]


@pytest.mark.parametrize("query", ["status=lost", "reaction=telegrams", "subject=x", "status=%00", "limit=0"])
async def test_what_there_cannot_be_is_refused(site: Site, query: str):
    assert (await site.get(f"/v1/deliveries?{query}", site.administrator)).status_code == 400


async def test_a_cursor_is_good_for_its_filters_alone(site: Site):
    await owed(site, "dead", "dead")
    cursor = (await site.get("/v1/deliveries?status=dead&limit=1", site.administrator)).json()["next"]
    assert (await site.get(f"/v1/deliveries?status=dead&cursor={cursor}", site.administrator)).status_code == 200
    other = await site.get(f"/v1/deliveries?cursor={cursor}", site.administrator)
    assert other.json()["type"].endswith("/invalid-cursor")


async def test_a_dead_one_is_attempted_again_and_others_stay_as_they_are(site: Site):
    ids = await owed(site, "dead", "sent", "obsolete", "waiting")
    before = await site.head()
    for delivery in ids:
        tried = await site.post(f"/v1/deliveries/{delivery}/redrive", None, site.administrator, headers=DRY_RUN)
        assert [event["type"] for event in tried.json()["events"]] == ["DeliveryRedriven"] * (delivery == ids[0])
    assert await statuses(site, ids) == ["dead", "sent", "obsolete", "waiting"]
    for delivery in ids:
        answer = await site.post(f"/v1/deliveries/{delivery}/redrive", None, site.administrator)
        assert answer.status_code == 200, answer.text
        again = await site.post(f"/v1/deliveries/{delivery}/redrive", None, site.administrator)
        assert again.json() == answer.json()
    assert await statuses(site, ids) == ["waiting", "sent", "obsolete", "waiting"]
    revived = (await site.get(f"/v1/deliveries/{ids[0]}", site.administrator)).json()
    assert (revived["attempts"], revived["cause"], revived["settled_at"]) == (0, None, None)
    assert revived["next_attempt_at"]
    assert await site.head() == before + 1
    missing = await site.post(f"/v1/deliveries/{uuid4()}/redrive", None, site.administrator)
    assert missing.json()["type"].endswith("/problems/no-such-delivery")


async def test_who_had_what_attempted_again_and_why_stands_in_the_history_of_whom_it_goes_to(site: Site):
    person = await site.person()
    first, second = await owed(site, "dead", "dead", subject=person.id)
    why = {"reason": "their mailbox was full"}
    assert (await site.post(f"/v1/deliveries/{first}/redrive", why, site.administrator)).status_code == 200
    done = await told(site, "deliveries", "redrive", second, "--reason", "the other one, too")
    assert done == [{"redriven": 1}]
    by_user, by_operator = (await history(site, str(person.id)))[-2:]
    assert (by_user["type"], by_user["actor"]["id"], by_user["subject"], by_user["reason"]) == (
        "DeliveryRedriven", str(site.administrator.id), str(person.id), "their mailbox was full",
    )  # fmt: skip
    assert (by_user["stream"], by_user["data"]["reaction"], by_user["data"]["position"]) == (first, "emails", 1)
    assert (by_operator["actor"], by_operator["reason"]) == ({"type": "operator"}, "the other one, too")


async def test_two_who_ask_at_once_have_it_attempted_once(site: Site):
    (delivery,) = await owed(site, "dead")
    before = await site.head()
    path = f"/v1/deliveries/{delivery}/redrive"
    answers = await asyncio.gather(*(site.post(path, None, site.administrator) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert await site.head() == before + 1


async def test_the_operator_lists_and_redrives_at_the_console(fresh: Site):
    ids = await owed(fresh, "dead", "sent", "dead", "dead")
    listed = await told(fresh, "deliveries", "--dead")
    assert [item["id"] for item in listed] == [ids[3], ids[2], ids[0]]
    assert listed == (await fresh.get("/v1/deliveries?status=dead", fresh.administrator)).json()["items"]
    subject = listed[0]["subject"]
    assert len(await told(fresh, "deliveries", "--user", subject, "--reaction", "emails")) == 4
    some = await muster(fresh, "deliveries", "--limit", "1")
    assert some.stdout.splitlines()[0].split()[:4] == ["ID", "POSITION", "WHAT", "USER"]
    assert some.stderr == "More follow: --all shows everything.\n"
    assert await told(fresh, "deliveries", "redrive", ids[0]) == [{"redriven": 1}]
    assert await told(fresh, "deliveries", "redrive", ids[1]) == [{"redriven": 0}]
    done = await muster(fresh, "deliveries", "redrive", "--dead")
    assert (done.exit_code, done.stdout) == (0, "2 will be attempted again.\n"), done.stderr
    assert await statuses(fresh, ids) == ["waiting", "sent", "waiting", "waiting"]
    assert "There is no such delivery." in await refused(fresh, "deliveries", "redrive", str(UUID(int=1)))
    assert "Name an ID, or say --dead." in await refused(fresh, "deliveries", "redrive")


async def test_are_shown_as_of_what_was_demanded_once_the_reaction_is_there(fresh: Site):
    await react(fresh)
    subject, positions = await fresh.registered(), fresh.app.process.positions
    path, position = f"/v1/deliveries?subject={subject}", await fresh.head()
    at_once = {"Min-Position": str(position), "Prefer": "wait=0"}
    behind = await fresh.get(path, fresh.administrator, headers=at_once)
    assert (behind.status_code, behind.json()["type"].rpartition("/")[2]) == (503, "view-behind")
    in_time = {"Min-Position": str(position), "Prefer": "wait=10"}
    waiting = asyncio.create_task(fresh.get(path, fresh.administrator, headers=in_time))

    async def waited_for() -> bool:
        return positions.waiting == 1

    await until(waited_for)
    await react(fresh)
    listed = await waiting
    assert listed.status_code == 200, listed.text
    (item,) = listed.json()["items"]
    assert (item["slot"], item["position"]) == ("verification", position)
    assert (listed.headers["event-position"], listed.headers["preference-applied"]) == (str(position), "wait=10")
    shown = await fresh.get(f"/v1/deliveries/{item['id']}", fresh.administrator, headers=at_once)
    assert (shown.status_code, shown.json()) == (200, item)
    assert (shown.headers["event-position"], shown.headers["preference-applied"]) == (str(position), "wait=0")
    await fresh.registered()
    await react(fresh)
    newest = {"Min-Position": str(await fresh.head()), "Prefer": "wait=0"}
    for one in (path, f"/v1/deliveries/{item['id']}"):
        answer = await fresh.get(one, fresh.administrator, headers=newest)
        assert answer.headers["event-position"] == newest["Min-Position"], "it was looked, for nothing was announced"


async def test_a_position_of_a_reaction_that_was_only_announced_is_not_taken_for_reached(fresh: Site):
    await react(fresh)
    (delivery,), positions = await owed(fresh, "dead"), fresh.app.process.positions
    await positions.look()
    demand = {"Min-Position": str(await fresh.head() + 1_000), "Prefer": "wait=0"}

    async def believed() -> bool:
        await fresh.database.query(f"NOTIFY projected, '{EMAILS.name}:0:{2**62}'")
        return positions.position(EMAILS.name) == 2**62

    for path in ("/v1/deliveries", f"/v1/deliveries/{delivery}"):
        await until(believed)
        answer = await fresh.get(path, fresh.administrator, headers=demand)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (503, "view-behind")
        await positions.look()


async def test_are_behind_where_the_reaction_is_not_there_in_time(site: Site):
    """Also one that there is not, which the reaction may be about to owe."""
    (delivery,) = await owed(site, "dead")
    demand = {"Min-Position": str(2**62), "Prefer": "wait=0"}
    for path in ("/v1/deliveries", f"/v1/deliveries/{delivery}", f"/v1/deliveries/{uuid4()}"):
        answer = await site.get(path, site.administrator, headers=demand)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["type"].endswith("/problems/view-behind")


@pytest.mark.parametrize("min_position", ["-1", "x", str(2**63)])
async def test_what_is_no_position_is_refused(site: Site, min_position: str):
    for path in ("/v1/deliveries", f"/v1/deliveries/{uuid4()}"):
        answer = await site.get(path, site.administrator, headers={"Min-Position": min_position})
        assert answer.status_code == 400
        assert [error["parameter"] for error in answer.json()["errors"]] == ["Min-Position"]


async def test_a_demand_is_declared_as_other_views_declare_it(site: Site):
    paths = (await site.get("/openapi.json")).json()["paths"]

    def said(path: str) -> tuple[object, ...]:
        operation = paths[path]["get"]
        taken = [parameter for parameter in operation["parameters"] if parameter["in"] == "header"]
        return taken, operation["responses"]["503"], "Preference-Applied" in operation["responses"]["200"]["headers"]

    assert said("/v1/deliveries") == said("/v1/deliveries/{delivery_id}") == said("/v1/users")
    assert {parameter["name"] for parameter in paths["/v1/users"]["get"]["parameters"]} >= {"Min-Position", "Prefer"}
