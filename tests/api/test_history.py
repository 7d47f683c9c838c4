"""What happened, as auditors read it."""

from typing import Any
from uuid import uuid4

from queries.history import EventView


async def test_a_users_history_tells_who_did_what(site, auditor):
    person = await site.person()
    answer = await site.get(f"/v1/users/{person.id}/history", auditor)
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["type"] for item in items] == ["UserRegistered", "EmailVerified", "SessionStarted"]
    assert all(item.keys() == set(EventView.__struct_fields__) for item in items)
    assert items[0]["data"]["email"] == person.email
    assert items[0]["actor"] == {"type": "anonymous"}
    assert int(answer.headers["event-position"]) >= items[-1]["position"]
    assert answer.headers["cache-control"] == "no-store"


async def test_nobody_has_no_history(site, auditor):
    assert (await site.get(f"/v1/users/{uuid4()}/history", auditor)).status_code == 404


async def every(site, auditor, path):
    """What stands on all pages from the path on, in order."""
    items = list[dict[str, Any]]()
    while path:
        page = await site.get(path, auditor)
        items += page.json()["items"]
        path = page.links.get("next", {}).get("url", "")
    return items


async def test_the_log_is_read_page_by_page_without_gaps(site, auditor):
    positions = [item["position"] for item in await every(site, auditor, "/v1/events?limit=7")]
    assert positions == list(range(1, len(positions) + 1))


async def test_the_log_is_read_by_types(site, auditor):
    asked = {"EmailVerified", "UserRegistered"}
    of_types = await every(site, auditor, "/v1/events?type=EmailVerified&type=UserRegistered&limit=4")
    log = await every(site, auditor, "/v1/events?limit=200")
    assert {item["type"] for item in of_types} == asked
    assert of_types == [item for item in log if item["type"] in asked]


async def test_a_type_that_there_is_not_is_refused(site, auditor):
    for query in ("type=Nonsense", "type=%00", "type="):
        answer = await site.get(f"/v1/events?{query}", auditor)
        assert answer.status_code == 400, query


async def test_nobody_else_reads_it_not_even_their_own(site, somebody):
    for path in ("/v1/events", f"/v1/users/{somebody.id}/history", f"/v1/users/{uuid4()}/history"):
        answer = await site.get(path, somebody)
        assert answer.status_code == 403
        assert 'scope="audit:read"' in answer.headers["www-authenticate"]
