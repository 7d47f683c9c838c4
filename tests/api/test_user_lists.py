"""The list of users: filters, order, pages, and how many there are."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.api.conftest import whole
from tests.api.site import PASSWORD, Person, Site, in_one_task


class Town:
    """A Muster with a few people in it whom filters tell apart."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.admin = site.administrator
        self.ids: dict[str, str] = {}

    async def settle(self) -> None:
        for name in ("Ada Lovelace", "Élodie Ångström", "Bob", "Carol"):
            person = await self.site.person(email=f"{name.split()[0].lower().replace('é', 'e')}@example.com")
            path = f"/v1/users/{person.id}/profile"
            assert (await self.site.request("PATCH", path, person, json={"display_name": name})).status_code == 204
            self.ids[name] = str(person.id)
        self.ids["nameless"] = await self.site.registered("nameless@example.org")
        for path in ("Bob/suspend", "Carol/roles/auditor"):
            name, _, rest = path.partition("/")
            method = "PUT" if "roles" in rest else "POST"
            done = await self.site.request(method, f"/v1/users/{self.ids[name]}/{rest}", self.admin)
            assert done.status_code == 204, done.text
        await self.listed("")

    async def listed(self, query: str, person: Person | None = None) -> Any:
        """The answer, once the views show everything."""
        demand = {"Min-Position": str(await self.site.head()), "Prefer": "wait=10"}
        return await self.site.get(f"/v1/users?{query}", person or self.admin, headers=demand)

    async def names(self, query: str) -> list[str]:
        """Who is listed, of those who settled here."""
        answer = await self.listed(query)
        assert answer.status_code == 200, answer.text
        known = {user_id: name for name, user_id in self.ids.items()}
        return [known[item["id"]] for item in answer.json()["items"] if item["id"] in known]


@pytest.fixture(scope="module")
async def town(make_database) -> AsyncIterator[Town]:
    async with in_one_task(whole(await make_database())) as site:
        made = Town(site)
        await made.settle()
        yield made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["nameless", "Carol", "Bob", "Élodie Ångström", "Ada Lovelace"]),
        ("sort=created", ["Ada Lovelace", "Élodie Ångström", "Bob", "Carol", "nameless"]),
        ("sort=name", ["Ada Lovelace", "Bob", "Carol", "Élodie Ångström", "nameless"]),
        ("sort=-name", ["Élodie Ångström", "Carol", "Bob", "Ada Lovelace", "nameless"]),
        ("sort=-last_seen", ["Carol", "Bob", "Élodie Ångström", "Ada Lovelace", "nameless"]),
        ("sort=last_seen", ["Ada Lovelace", "Élodie Ångström", "Bob", "Carol", "nameless"]),
        ("status=suspended", ["Bob"]),
        ("status=suspended&status=unverified", ["nameless", "Bob"]),
        ("role=auditor&role=analyst", ["Carol"]),
        ("verified=false", ["nameless"]),
        ("verified=true&search=example&sort=name", ["Ada Lovelace", "Bob", "Carol", "Élodie Ångström"]),
        ("search=LOVE", ["Ada Lovelace"]),
        ("search=%C3%89LODIE", ["Élodie Ångström"]),
        ("search=angstrom", ["Élodie Ångström"]),
        ("search=an", ["Élodie Ångström"]),
        ("search=.org", ["nameless"]),
        ("search=%25", []),
        ("search=a_a", []),
        ("status=active&role=auditor&search=bob", []),
        ("created_from=2000-01-01T00:00:00Z&created_to=2000-01-02T00:00:00%2B02:00", []),
        ("seen_from=2000-01-01T00:00:00Z&sort=name", ["Ada Lovelace", "Bob", "Carol", "Élodie Ångström"]),
    ],
)
async def test_lists_those_for_whom_every_filter_holds_in_the_order_that_is_asked_for(town, query, found):
    assert await town.names(query) == found


async def test_times_are_from_and_up_to(town):
    everyone = (await town.listed("sort=created")).json()["items"]
    first, second = everyone[1]["registered_at"], everyone[2]["registered_at"]
    page = (await town.listed(f"created_from={first}&created_to={second}")).json()["items"]
    assert [item["registered_at"] for item in page] == [first]
    assert (await town.listed(f"created_from={second}&created_to={first}")).json()["items"] == []


async def test_an_item_is_the_users_view(town):
    (item,) = (await town.listed("search=carol")).json()["items"]
    view = (await town.site.get(f"/v1/users/{item['id']}", town.admin)).json()
    assert item == view
    assert item["last_seen_at"].endswith("Z")
    (item,) = (await town.listed("search=nameless")).json()["items"]
    assert item["last_seen_at"] is None


@pytest.mark.parametrize("query", ["", "sort=name&search=a&status=active&status=suspended&limit=1", "verified=true"])
async def test_the_link_to_the_next_page_repeats_what_was_asked(town, query):
    path, seen = f"/v1/users?limit=2&{query}", []
    while path:
        page = await town.site.get(path, town.admin)
        assert page.status_code == 200, page.text
        seen += [item["id"] for item in page.json()["items"]]
        path = page.links.get("next", {}).get("url", "")
        asked, linked = parse_qs(query), parse_qs(urlsplit(path).query)
        assert not path or all(linked[name] == values for name, values in asked.items())
        assert bool(path) == (page.json()["next"] is not None)
    assert seen == [item["id"] for item in (await town.listed(query.replace("limit=1", "limit=50"))).json()["items"]]


async def test_a_cursor_is_good_for_its_filters_and_its_order_alone(town):
    page = (await town.listed("limit=1&status=active&sort=name")).json()
    good = await town.listed(f"limit=2&sort=name&status=active&cursor={page['next']}")
    assert good.status_code == 200
    for query in ("", "sort=name", "status=active", "status=active&sort=-name", "status=active&sort=name&search=a"):
        answer = await town.listed(f"{query}&cursor={page['next']}")
        assert answer.status_code == 400, query
        assert answer.json()["type"].endswith("/problems/invalid-cursor")


async def test_filters_in_another_order_are_the_same_list(town):
    page = (await town.listed("limit=1&status=active&status=suspended&role=auditor&role=administrator")).json()
    answer = await town.listed(
        f"role=administrator&role=auditor&status=suspended&status=active&status=active&cursor={page['next']}"
    )
    assert answer.status_code == 200


async def test_a_cursor_tells_nothing_of_whom_it_goes_on_after(town):
    page = (await town.listed("limit=1&sort=name")).json()
    assert b"ada" not in base64.urlsafe_b64decode(page["next"] + "==").lower()


async def test_how_many_there_are_is_told_when_it_is_asked_for(town):
    assert "count" not in (await town.listed("status=active")).json()
    page = (await town.listed("verified=true&count=exact&limit=1")).json()
    assert (page["count"], len(page["items"])) == (5, 1)
    second = (await town.listed(f"verified=true&count=exact&limit=1&cursor={page['next']}")).json()
    assert second["count"] == 5
    assert (await town.listed("search=nobody&count=exact")).json() == {"items": [], "next": None, "count": 0}


async def test_few_lists_at_once_look_through_everybody_and_what_is_quick_goes_on(town, monkeypatch):
    monkeypatch.setattr("api.users.LONGEST_SECONDS", 0.05)
    turns = town.site.app.process.few_lists_at_once
    async with AsyncExitStack() as stack:
        while not turns.locked():
            await stack.enter_async_context(turns)
        for query in ("count=exact", "search=e", "role=auditor"):
            answer = await town.site.get(f"/v1/users?{query}", town.admin)
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (503, "store-unavailable"), query
            assert answer.headers["retry-after"]
        assert (await town.site.get("/v1/users?limit=2", town.admin)).status_code == 200
        assert (await town.site.get("/v1/users?verified=true&limit=2", town.admin)).status_code == 200
        assert (await town.site.get("/readyz")).status_code == 200


async def test_head_answers_as_get_does(town):
    query = "/v1/users?search=a&sort=name&limit=1"
    got, head = [await town.site.request(method, query, town.admin) for method in ("GET", "HEAD")]
    assert (head.status_code, head.content) == (200, b"")
    assert "cursor=" in head.headers["link"]
    assert head.headers["event-position"] == got.headers["event-position"]


@pytest.mark.parametrize("query", ["search=first", "sort=name", "search=first&sort=-name", "sort=-last_seen"])
async def test_waits_for_every_view_that_it_is_made_from(town, query):
    email = town.site.new_email()
    body = {"email": email, "password": PASSWORD, "display_name": "First of all"}
    made = await town.site.post("/v1/users", body, town.admin)
    demand = {"Min-Position": made.headers["event-position"], "Prefer": "wait=10"}
    page = await town.site.get(f"/v1/users?{query}&limit=200", town.admin, headers=demand)
    assert made.json()["id"] in [item["id"] for item in page.json()["items"]]
    assert page.headers["preference-applied"] == "wait=10"
    assert int(page.headers["event-position"]) >= int(demand["Min-Position"])
    far = {"Min-Position": str(2**62), "Prefer": "wait=0"}
    behind = await town.site.get(f"/v1/users?{query}", town.admin, headers=far)
    assert (behind.status_code, behind.json()["type"].rpartition("/")[2]) == (503, "view-behind")


async def test_tells_all_that_is_wrong_at_once(town):
    query = "status=gone&role=king&sort=age&verified=yes&count=all&created_from=today&search=%20&nmae=x"
    answer = await town.listed(query)
    assert answer.status_code == 400
    assert {error["parameter"] for error in answer.json()["errors"]} == {"nmae"}
    answer = await town.listed(query.removesuffix("&nmae=x"))
    assert {error["parameter"] for error in answer.json()["errors"]} == {
        "status", "role", "sort", "verified", "count", "created_from", "search",
    }  # fmt: skip


async def test_is_for_those_who_may_see_everyone(town):
    person = await town.site.person()
    for query in ("search=a", "status=active&count=exact"):
        assert (await town.listed(query, person)).status_code == 403
        assert (await town.site.get(f"/v1/users?{query}")).status_code == 401
