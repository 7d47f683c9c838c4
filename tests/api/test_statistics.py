"""Statistics over HTTP."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.conftest import whole
from tests.api.site import in_one_task

TODAY = datetime.now(UTC).date()
SERIES = ("registrations", "verifications", "active-users", "sign-ins")


@pytest.fixture(scope="module")
async def analyst(shared_site):
    return await shared_site.seen(await shared_site.person("analyst"))


async def asked(site, person, path: str, position: int | None = None):
    headers = {"Min-Position": str(position or await site.head()), "Prefer": "wait=10"}
    return await site.get(f"/v1/statistics/{path}", person, headers=headers)


async def test_what_has_just_happened_is_counted(fresh):
    analyst = await fresh.person("analyst")
    await fresh.registered()
    await fresh.post("/v1/sessions", {"email": analyst.email, "password": "something else"})
    await fresh.post("/v1/sessions", {"email": "nobody@example.com", "password": "something else"})
    today: dict[str, int] = {}
    for name in SERIES:
        answer = await asked(fresh, analyst, f"{name}?from={TODAY}")
        assert answer.status_code == 200, answer.text
        (item,) = answer.json()["items"]
        assert item.pop("period") == str(TODAY)
        today |= item
        assert int(answer.headers["event-position"]) == await fresh.head()
        assert answer.headers["preference-applied"] == "wait=10"
        assert answer.headers["cache-control"] == "no-store"
    assert today == {"registrations": 3, "verifications": 2, "active_users": 2, "sign_ins": 2, "failures": 2}
    told = (await asked(fresh, analyst, "retention")).json()
    assert told["items"][-1] == {"period": str(TODAY.replace(day=1)), "registrations": 3, "active": [2]}
    assert len(told["items"]) == 12
    assert (told["granularity"], told["smallest_group"], told["parked"]) == ("month", 1, 0)


async def test_whole_periods_are_told_and_from_when_until_when(site, analyst):
    told = (await asked(site, analyst, "registrations?from=2026-03-04&to=2026-03-17&granularity=week")).json()
    assert (told["from"], told["to"], told["granularity"]) == ("2026-03-02", "2026-03-23", "week")
    assert [item["period"] for item in told["items"]] == ["2026-03-02", "2026-03-09", "2026-03-16"]
    assert [item["registrations"] for item in told["items"]] == [0, 0, 0]


@pytest.mark.parametrize("name", [*SERIES, "retention"])
async def test_a_range_that_is_none_or_too_long_is_refused(site, analyst, name):
    for query in ("from=2026-03-04&to=2026-03-03", "from=2020-01-01&to=2026-01-01", "from=9999-12-31", "to=0001-01-01"):
        answer = await asked(site, analyst, f"{name}?{query}")
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/problems/invalid-range")
    empty = await asked(site, analyst, f"{name}?from=2026-03-04&to=2026-03-04")
    assert empty.json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2026-02-30",
        "to=2026-03-04T00:00:00",
        "to=1e9",
        "from=%00",
        "granularity=hour",
        "from=2026-03-04%2B01:00",
    ],
)
async def test_what_is_no_day_and_no_granularity_is_refused(site, analyst, query):
    answer = await asked(site, analyst, f"sign-ins?{query}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["parameter"] == query.partition("=")[0]


async def test_a_view_that_stays_behind_is_a_problem_and_not_an_old_answer(site, analyst):
    headers = {"Min-Position": "999999999", "Prefer": "wait=0"}
    answer = await site.get("/v1/statistics/registrations", analyst, headers=headers)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("/problems/view-behind")


async def test_small_groups_are_null(database):
    async with in_one_task(whole(database, smallest_group=3)) as site:
        analyst = await site.person("analyst")
        told = (await asked(site, analyst, f"registrations?from={TODAY - timedelta(days=1)}")).json()
        assert [item["registrations"] for item in told["items"]] == [0, None]
        assert told["smallest_group"] == 3
        await site.registered()
        told = (await asked(site, analyst, f"registrations?from={TODAY}")).json()
        assert [item["registrations"] for item in told["items"]] == [3]
        told = (await asked(site, analyst, "retention?granularity=day")).json()
        assert told["items"][-1] == {"period": str(TODAY), "registrations": 3, "active": [None]}


async def test_few_are_asked_at_once_and_a_dear_one_ends(site, analyst, monkeypatch):
    monkeypatch.setattr("api.statistics.LONGEST_SECONDS", 0.05)
    few = site.app.process.few_at_once
    async with few, few:
        answer = await asked(site, analyst, "registrations")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert (await asked(site, analyst, "active-users?granularity=month")).status_code in (200, 503)
