"""Views of users, and what they are called."""

import asyncio
from uuid import uuid4

import pytest


async def test_everyone_sees_themselves(site, somebody):
    me = await site.get("/v1/me", somebody)
    assert me.status_code == 200
    view = me.json()
    assert view.keys() == {
        "id", "kind", "email", "email_verified", "display_name", "locale", "time_zone", "picture_url", "roles", "status",
        "metadata", "registered_at", "updated_at", "last_seen_at", "erasure_due_at", "version",
    }  # fmt: skip
    assert (view["id"], view["email"], view["status"], view["roles"]) == (
        str(somebody.id),
        somebody.email,
        "active",
        [],
    )
    assert view["registered_at"].endswith("Z")
    assert me.headers["cache-control"] == "no-store"
    assert int(me.headers["event-position"]) <= await site.head()
    assert (await site.get(f"/v1/users/{somebody.id}", somebody)).json() == view


async def test_an_auditor_sees_everyone(site, auditor, somebody):
    answer = await site.get(f"/v1/users/{somebody.id}", auditor)
    assert (answer.status_code, answer.json()["email"]) == (200, somebody.email)


async def test_what_those_see_who_see_everyone_has_another_tag(site, auditor, somebody):
    own = await site.get(f"/v1/users/{somebody.id}", somebody)
    anyones = await site.get(f"/v1/users/{somebody.id}", auditor)
    assert own.headers["etag"] != anyones.headers["etag"]


async def test_another_answers_like_nobody(site, somebody, auditor):
    stranger = await site.person()
    another = await site.get(f"/v1/users/{somebody.id}", stranger)
    nobody = await site.get(f"/v1/users/{uuid4()}", stranger)
    assert another.status_code == nobody.status_code == 404
    assert {**another.json(), "instance": "", "request_id": ""} == {**nobody.json(), "instance": "", "request_id": ""}
    assert another.headers.keys() == nobody.headers.keys()
    assert (await site.get(f"/v1/users/{uuid4()}", auditor)).status_code == 404


async def test_whoever_has_it_already_gets_304(site, somebody):
    first = await site.get("/v1/me", somebody)
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = await site.get("/v1/me", somebody, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert "event-position" in again.headers
    other = await site.get("/v1/me", somebody, headers={"If-None-Match": '"1.1.own"'})
    assert other.status_code == 200


async def test_who_signs_in_again_was_seen_since_and_is_shown_anew(site):
    person = await site.seen(await site.person())
    first = await site.get("/v1/me", person)
    again = await site.seen(await site.signed_in(person.email))
    shown = await site.get("/v1/me", again, headers={"If-None-Match": first.headers["etag"]})
    assert shown.status_code == 200
    assert shown.json()["last_seen_at"] > first.json()["last_seen_at"]
    same = ("version", "updated_at")
    assert [shown.json()[name] for name in same] == [first.json()[name] for name in same]
    changed = await site.request(
        "PATCH",
        f"/v1/users/{person.id}/profile",
        again,
        json={"display_name": "Ada"},
        headers={"If-Match": first.headers["etag"]},
    )
    assert changed.status_code == 204, "that somebody was seen is no change of the user"


async def test_the_name_changes_and_the_view_shows_it_when_asked_to_wait(site):
    person = await site.person()
    before = await site.head()
    changed = await site.request(
        "PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": "Ada Lovelace"}
    )
    assert changed.status_code == 204
    assert await site.events_after(before) == ["DisplayNameChanged"]
    demand = {"Min-Position": changed.headers["event-position"], "Prefer": "respond-async, wait=10"}
    shown = await site.get("/v1/me", person, headers=demand)
    assert shown.json()["display_name"] == "Ada Lovelace"
    assert shown.headers["preference-applied"] == "wait=10"
    assert int(shown.headers["event-position"]) >= int(changed.headers["event-position"])
    assert shown.headers["etag"].startswith(changed.headers["etag"].removesuffix('"'))


async def test_asking_twice_records_nothing(site):
    person = await site.person()
    path, body = f"/v1/users/{person.id}/profile", {"display_name": "Grace"}
    first = await site.request("PATCH", path, person, json=body)
    again = await site.request("PATCH", path, person, json=body)
    assert again.status_code == 204
    assert again.headers["etag"] == first.headers["etag"]
    assert int(again.headers["event-position"]) >= int(first.headers["event-position"])
    assert (await site.events_after(int(first.headers["event-position"]))) == []


async def test_a_merge_patch_removes_by_null_and_leaves_what_is_left_out(site):
    person = await site.person()
    path = f"/v1/users/{person.id}/profile"
    merge = {"Content-Type": "application/merge-patch+json"}
    before = await site.head()
    for patch in (b'{"display_name": "Ada"}', b"{}", b'{"display_name": null}'):
        assert (await site.request("PATCH", path, person, content=patch, headers=merge)).status_code == 204
    assert await site.events_after(before) == ["DisplayNameChanged", "DisplayNameChanged"]


async def test_an_administrator_names_anyone_and_others_cannot(site, somebody, auditor):
    path = f"/v1/users/{somebody.id}/profile"
    assert (await site.request("PATCH", path, site.administrator, json={"display_name": "A"})).status_code == 204
    before = await site.head()
    assert (await site.request("PATCH", path, auditor, json={"display_name": "B"})).status_code == 404
    assert await site.head() == before


async def test_a_stale_version_is_refused_and_the_right_one_taken(site):
    person = await site.person()
    path = f"/v1/users/{person.id}/profile"
    before = await site.head()
    for stale in ('"1"', '"3.1.own"', 'W/"2"', '"nonsense"', "2"):
        answer = await site.request("PATCH", path, person, json={"display_name": "Ada"}, headers={"If-Match": stale})
        assert answer.status_code == 412, stale
        assert answer.json()["type"].endswith("/problems/stale-version")
    assert await site.head() == before
    for number, current in enumerate(('"2"', '"3.1.own"', '"9", "4"', "*")):
        answer = await site.request(
            "PATCH", path, person, json={"display_name": f"Ada {number}"}, headers={"If-Match": current}
        )
        assert answer.status_code == 204, current


async def test_of_many_who_decide_on_the_same_version_one_is_first(site):
    person = await site.person()
    answers = await asyncio.gather(
        *(
            site.request(
                "PATCH",
                f"/v1/users/{person.id}/profile",
                person,
                json={"display_name": f"Name {number}"},
                headers={"If-Match": '"2"'},
            )
            for number in range(10)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [204] + [412] * 9


async def test_the_list_goes_on_by_cursor_and_leaves_nobody_out(fresh):
    people = {str((await fresh.person()).id) for _ in range(4)} | {str(fresh.administrator.id)}
    await fresh.seen(fresh.administrator)
    demand = {"Min-Position": str(await fresh.head()), "Prefer": "wait=10"}
    seen: list[str] = []
    path = "/v1/users?limit=2"
    while path:
        page = await fresh.get(path, fresh.administrator, headers=demand)
        assert page.status_code == 200
        seen += [item["id"] for item in page.json()["items"]]
        assert len(page.json()["items"]) <= 2
        following = page.links.get("next", {}).get("url", "")
        assert bool(following) == (page.json()["next"] is not None)
        path = following
    assert seen == sorted(people, reverse=True)


@pytest.mark.parametrize("min_position", ["-1", "x", "1e3", str(2**63), "9" * 30, "١"])
async def test_what_is_no_position_is_refused(site, somebody, min_position):
    headers = [(b"min-position", min_position.encode()), (b"authorization", somebody.headers["Authorization"].encode())]
    answer = await site.client.get("/v1/me", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"].lower() == "min-position"


async def test_a_view_that_is_not_there_in_time_says_so(site, somebody):
    demand = {"Min-Position": str(2**62), "Prefer": "wait=0"}
    answer = await site.get("/v1/me", somebody, headers=demand)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("/problems/view-behind")
    assert answer.headers["retry-after"] == "1"


async def test_the_etag_of_the_view_holds_after_a_stranger_tried_the_address(site):
    person = await site.seen(await site.person())
    await site.registered(person.email)
    await site.seen(person)
    tag = (await site.get(f"/v1/users/{person.id}", person)).headers["etag"]
    changed = await site.request(
        "PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": "Ada"}, headers={"If-Match": tag}
    )
    assert changed.status_code == 204
