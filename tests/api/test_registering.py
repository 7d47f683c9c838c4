"""Registering, and proving the address."""

from uuid import UUID, uuid4

from tests.api.site import PASSWORD, served


async def test_anyone_registers_and_is_told_an_id(site):
    before = await site.head()
    answer = await site.post(
        "/v1/users",
        {"email": site.new_email(), "password": PASSWORD, "display_name": "Ada", "locale": "en-GB"},
    )
    assert answer.status_code == 202
    assert answer.json().keys() == {"id"}
    assert UUID(answer.json()["id"]).version == 7
    assert await site.events_after(before) == ["UserRegistered"]


async def test_the_answer_tells_no_position_and_no_version(site):
    answer = await site.post("/v1/users", {"email": site.new_email(), "password": PASSWORD})
    assert not {"event-position", "etag", "location"} & answer.headers.keys()
    assert answer.headers["cache-control"] == "no-store"


async def test_a_taken_address_is_answered_alike_and_its_owner_is_told(site, somebody):
    before = await site.head()
    free = await site.post("/v1/users", {"email": site.new_email(), "password": PASSWORD})
    taken = await site.post("/v1/users", {"email": somebody.email, "password": PASSWORD})
    assert (taken.status_code, taken.json().keys()) == (free.status_code, free.json().keys())
    assert await site.events_after(before) == ["UserRegistered", "AddressRegisteredAgain"]
    assert UUID(taken.json()["id"]) != somebody.id


async def test_an_administrator_adds_someone_and_sees_them_at_once(site):
    email = site.new_email()
    answer = await site.post(
        "/v1/users", {"email": email, "password": PASSWORD, "display_name": "Ada"}, site.administrator
    )
    assert answer.status_code == 201
    view = answer.json()
    assert (view["email"], view["display_name"], view["status"], view["version"]) == (email, "Ada", "unverified", 1)
    assert answer.headers["location"] == f"/v1/users/{view['id']}"
    assert answer.headers["event-position"] == str(await site.head())
    shown = await site.get(
        answer.headers["location"],
        site.administrator,
        headers={"Min-Position": answer.headers["event-position"], "Prefer": "wait=10"},
    )
    assert shown.json() == view
    assert shown.headers["etag"] == answer.headers["etag"]


async def test_an_administrator_says_why_and_nobody_who_registers_themselves_does(site, somebody):
    body = {"email": site.new_email(), "password": PASSWORD, "reason": "by telephone"}
    before = await site.head()
    for asker in (None, somebody):
        refused = await site.post("/v1/users", body, asker)
        assert refused.status_code == 400
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/reason"]
        taken = await site.post("/v1/users", {**body, "email": somebody.email}, asker)
        assert taken.json()["errors"] == refused.json()["errors"]
    assert await site.head() == before
    added = (await site.post("/v1/users", body, site.administrator)).json()
    (event,) = (await site.get(f"/v1/users/{added['id']}/history", site.administrator)).json()["items"]
    assert (event["type"], event["reason"]) == ("UserRegistered", "by telephone")


async def test_an_administrator_is_told_that_an_address_is_taken(site, somebody):
    answer = await site.post("/v1/users", {"email": somebody.email, "password": PASSWORD}, site.administrator)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/problems/address-taken")


async def test_someone_without_the_right_registers_like_anyone(site, somebody):
    answer = await site.post("/v1/users", {"email": somebody.email, "password": PASSWORD}, somebody)
    assert answer.status_code == 202


async def test_registration_can_be_closed(database):
    async with served(database, registration="closed") as site:
        answer = await site.post("/v1/users", {"email": "ada@example.com", "password": PASSWORD})
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("/problems/registration-closed")
        assert await site.events_after(0) == ["FirstAdministratorInvited"]


async def test_the_mailed_token_proves_the_address(site):
    user_id = await site.registered()
    before = await site.head()
    answer = await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["event-position"] == str(before + 1)
    assert answer.headers["etag"].startswith('"2.')
    assert await site.events_after(before) == ["EmailVerified"]


async def test_a_link_works_once(site):
    user_id = await site.registered()
    token = {"token": site.link(user_id)}
    assert (await site.post(f"/v1/users/{user_id}/email/verify", token)).status_code == 204
    again = await site.post(f"/v1/users/{user_id}/email/verify", token)
    assert again.status_code == 410
    assert again.json()["type"].endswith("/problems/link-spent")


async def test_a_link_expires(site):
    user_id = await site.registered()
    answer = await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id, hours=-1)})
    assert answer.status_code == 410
    assert answer.json()["type"].endswith("/problems/link-expired")


async def test_a_link_proves_nobody_else(site):
    one, other = await site.registered(), await site.registered()
    for user_id in (other, uuid4()):
        answer = await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(one)})
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/problems/invalid-link")


async def test_every_invalid_field_is_told_at_once(site):
    before = await site.head()
    answer = await site.post(
        "/v1/users", {"email": "no address", "password": "short", "display_name": "\u202e", "roles": ["administrator"]}
    )
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/problems/invalid-fields")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/email", "/password", "/display_name", "/roles"]
    assert await site.head() == before


async def test_rules_of_commands_are_told_at_once_too(site):
    answer = await site.post("/v1/users", {"email": "ada@nowhere", "password": "short", "display_name": "\n"})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/email", "/password", "/display_name"]
    assert "short" not in answer.text
    assert "nowhere" not in answer.text
