"""What is owed because of what happened, and what became of it, over HTTP and at the console."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid4

from tests.api.console import muster, refused, told
from tests.api.site import Site


async def owed(site: Site, *statuses: str) -> list[str]:
    """The ids of mails to somebody, in these states."""
    subject = uuid4()
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
        answer = await site.post(f"/v1/deliveries/{delivery}/redrive", None, site.administrator)
        assert answer.status_code == 200, answer.text
        again = await site.post(f"/v1/deliveries/{delivery}/redrive", None, site.administrator)
        assert again.json() == answer.json()
    assert await statuses(site, ids) == ["waiting", "sent", "obsolete", "waiting"]
    revived = (await site.get(f"/v1/deliveries/{ids[0]}", site.administrator)).json()
    assert (revived["attempts"], revived["cause"], revived["settled_at"]) == (0, None, None)
    assert revived["next_attempt_at"]
    assert await site.head() == before
    missing = await site.post(f"/v1/deliveries/{uuid4()}/redrive", None, site.administrator)
    assert missing.json()["type"].endswith("/problems/no-such-delivery")


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
    assert (await muster(fresh, "deliveries", "redrive", "--dead")).stdout == "2 will be attempted again.\n"
    assert await statuses(fresh, ids) == ["waiting", "sent", "waiting", "waiting"]
    assert "There is no such delivery." in await refused(fresh, "deliveries", "redrive", str(UUID(int=1)))
    assert "Name an ID, or say --dead." in await refused(fresh, "deliveries", "redrive")
