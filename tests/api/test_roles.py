"""Granting and revoking roles."""

from uuid import uuid4


async def test_a_role_is_granted_and_seen_in_the_view(site):
    person = await site.person()
    before = await site.head()
    answer = await site.request(
        "PUT", f"/v1/users/{person.id}/roles/analyst", site.administrator, json={"reason": "She asked."}
    )
    assert (answer.status_code, answer.headers["event-position"]) == (204, str(before + 1))
    assert await site.events_after(before) == ["RoleGranted"]
    again = await site.signed_in(person.email)
    await site.seen(again)
    assert (await site.get("/v1/me", again)).json()["roles"] == ["analyst"]


async def test_granting_twice_records_nothing(site):
    person = await site.person("analyst")
    before = await site.head()
    answer = await site.request("PUT", f"/v1/users/{person.id}/roles/analyst", site.administrator)
    assert (answer.status_code, await site.head()) == (204, before)


async def test_older_tokens_end_with_every_change_of_roles(site):
    person = await site.person()
    await site.request("PUT", f"/v1/users/{person.id}/roles/auditor", site.administrator)
    assert (await site.get("/v1/events", person)).status_code == 401
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    person.tokens = refreshed.json()
    assert (await site.get("/v1/events", person)).status_code == 200
    await site.request("DELETE", f"/v1/users/{person.id}/roles/auditor", site.administrator)
    assert (await site.get("/v1/events", person)).status_code == 401
    person.tokens = (await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})).json()
    assert (await site.get("/v1/events", person)).status_code == 403


async def test_nobody_grants_without_the_right(site, somebody, auditor):
    before = await site.head()
    for person in (somebody, auditor):
        for method in ("PUT", "DELETE"):
            answer = await site.request(method, f"/v1/users/{person.id}/roles/administrator", person)
            assert answer.status_code == 403
            assert 'scope="users:write"' in answer.headers["www-authenticate"]
    assert await site.head() == before


async def test_there_are_no_other_roles_and_no_other_users(site, somebody):
    role = await site.request("PUT", f"/v1/users/{somebody.id}/roles/king", site.administrator)
    user = await site.request("PUT", f"/v1/users/{uuid4()}/roles/auditor", site.administrator)
    assert (role.status_code, user.status_code) == (404, 404)
    assert role.json()["type"].endswith("/problems/no-such-role")
    assert user.json()["type"].endswith("/problems/no-such-user")


async def test_one_administrator_always_remains(fresh):
    answer = await fresh.request(
        "DELETE", f"/v1/users/{fresh.administrator.id}/roles/administrator", fresh.administrator
    )
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/problems/last-administrator")


async def test_an_administrator_who_was_added_administers(site):
    person = await site.person("administrator")
    other = await site.person()
    assert (await site.request("PUT", f"/v1/users/{other.id}/roles/analyst", person)).status_code == 204


async def test_the_reason_stands_in_the_history(site, auditor):
    person = await site.person()
    await site.request(
        "PUT", f"/v1/users/{person.id}/roles/analyst", site.administrator, json={"reason": "Counts people."}
    )
    items = (await site.get(f"/v1/users/{person.id}/history", auditor)).json()["items"]
    assert (items[-1]["type"], items[-1]["reason"], items[-1]["command"]) == (
        "RoleGranted",
        "Counts people.",
        "GrantRole",
    )
    assert items[-1]["actor"] == {"type": "user", "id": str(site.administrator.id)}
