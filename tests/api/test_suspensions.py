"""Suspending, locking, and letting in again."""

import asyncio

from commands.links import UNLOCK
from tests.api.site import PASSWORD


async def try_sign_in(site, email, password="a wrong guess", cookies=None):
    headers = {} if cookies is None else {"Cookie": f"muster_device={cookies}"}
    return (await site.post("/v1/sessions", {"email": email, "password": password}, headers=headers)).status_code


async def device(site, email):
    """What a device keeps that signs in."""
    answer = await site.post("/v1/sessions", {"email": email, "password": PASSWORD})
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=strict", "Path=/v1/sessions"))
    return answer.cookies["muster_device"]


async def locked(site, email):
    """Guess until nothing is left to guess."""
    for _ in range(20):
        assert await try_sign_in(site, email) == 401


async def posted(site, person, what, body=None, by=None):
    return await site.post(f"/v1/users/{person.id}/{what}", body or {}, by or site.administrator)


async def test_whoever_is_suspended_is_out_at_once_until_reinstated(site):
    person = await site.person()
    before = await site.head()
    assert (await posted(site, person, "suspend", {"reason": "a chargeback"})).status_code == 204
    assert (await site.get("/v1/me", person)).status_code == 401
    refresh = {"refresh_token": person.tokens["refresh_token"]}
    assert (await site.post("/v1/sessions/refresh", refresh)).status_code == 401
    assert await try_sign_in(site, person.email, PASSWORD) == 401
    assert await site.events_after(before) == ["UserSuspended", "SessionEnded"]
    assert (await posted(site, person, "suspend")).status_code == 204
    assert (await posted(site, person, "reinstate")).status_code == 204
    assert await try_sign_in(site, person.email, PASSWORD) == 201
    topics = [topic for topic in await site.events_after(before) if topic != "SessionStarted"]
    assert topics == ["UserSuspended", "SessionEnded", "UserReinstated"]
    history = (await site.get(f"/v1/users/{person.id}/history?limit=200", site.administrator)).json()["items"]
    (event,) = [event for event in history if event["type"] == "UserSuspended"]
    assert event["reason"] == "a chargeback"
    assert (event["actor"]["id"], event["subject"]) == (str(site.administrator.id), str(person.id))


async def test_the_view_tells_who_is_suspended(site):
    person = await site.person()
    await posted(site, person, "suspend")
    headers = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    shown = await site.get(f"/v1/users/{person.id}", site.administrator, headers=headers)
    assert shown.json()["status"] == "suspended"


async def test_links_of_whoever_is_suspended_are_dead(site):
    person = await site.person()
    await site.post("/v1/password/reset", {"email": person.email})
    token = await site.newest_link(person.id, "PasswordResetRequested", "reset-password")
    await posted(site, person, "suspend")
    body = {"token": token, "password": "another horse, another staple"}
    assert (await site.post("/v1/password/reset/complete", body)).status_code == 410
    before = await site.head()
    assert (await site.post("/v1/password/reset", {"email": person.email})).status_code == 202
    assert await site.events_after(before) == []


async def test_one_administrator_who_can_act_remains(fresh):
    other = await fresh.person("administrator")
    assert (await posted(fresh, other, "suspend")).status_code == 204
    refused = await posted(fresh, fresh.administrator, "suspend")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "last-administrator")
    revoked = await fresh.request(
        "DELETE", f"/v1/users/{fresh.administrator.id}/roles/administrator", fresh.administrator
    )
    assert revoked.status_code == 409
    assert (await posted(fresh, other, "reinstate")).status_code == 204
    assert (await posted(fresh, fresh.administrator, "suspend")).status_code == 204


async def test_two_administrators_who_suspend_each_other_leave_one(fresh):
    other = await fresh.person("administrator")
    answers = await asyncio.gather(
        posted(fresh, other, "suspend", by=fresh.administrator), posted(fresh, fresh.administrator, "suspend", by=other)
    )
    assert min(answer.status_code for answer in answers) == 204
    topics = await fresh.events_after(0)
    assert topics.count("UserSuspended") == 1


async def test_nobody_administers_whose_address_is_not_proved(site):
    user_id = await site.registered()
    answer = await site.request("PUT", f"/v1/users/{user_id}/roles/administrator", site.administrator)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "address-not-proved")


async def test_too_many_failures_shut_strangers_out_and_no_device_that_signed_in_before(site):
    person = await site.person()
    known = await device(site, person.email)
    before = await site.head()
    await locked(site, person.email)
    assert await site.events_after(before) == ["UserLocked"]
    assert await try_sign_in(site, person.email, PASSWORD) == 401
    assert await try_sign_in(site, person.email, PASSWORD, known) == 201
    headers = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    assert (await site.get(f"/v1/users/{person.id}", site.administrator, headers=headers)).json()["status"] == "locked"


async def test_a_known_device_has_only_so_many_attempts_itself(site):
    person = await site.person()
    known = await device(site, person.email)
    for _ in range(20):
        assert await try_sign_in(site, person.email, cookies=known) == 401
    assert await try_sign_in(site, person.email, PASSWORD, known) == 401
    assert await try_sign_in(site, person.email, PASSWORD) == 201, "others are not its business"


async def test_the_token_of_a_device_is_good_for_its_user_only(site, somebody):
    person = await site.person()
    strange = await device(site, somebody.email)
    await locked(site, person.email)
    for token in (strange, "A" * 64, "", "\u00fc".encode().hex(), strange[:-2] + "AA"):
        assert await try_sign_in(site, person.email, PASSWORD, token) == 401


async def test_the_owner_unlocks_by_mail_and_that_device_stays_in(site):
    person = await site.person()
    await locked(site, person.email)
    token = await site.newest_link(person.id, "UserLocked", UNLOCK, 0.2)
    stale = await site.post(f"/v1/users/{person.id}/unlock", {"token": token}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    answer = await site.post(f"/v1/users/{person.id}/unlock", {"token": token, "reason": "it was me"})
    assert (answer.status_code, answer.headers["etag"]) == (204, '"4.4.own"')
    history = (await site.get(f"/v1/users/{person.id}/history?limit=200", site.administrator)).json()["items"]
    assert [event["reason"] for event in history if event["type"] == "UserUnlocked"] == ["it was me"]
    known = answer.cookies["muster_device"]
    assert (await site.post(f"/v1/users/{person.id}/unlock", {"token": token})).status_code == 410
    assert await try_sign_in(site, person.email, PASSWORD) == 201
    await locked(site, person.email)
    assert await try_sign_in(site, person.email, PASSWORD) == 401
    assert await try_sign_in(site, person.email, PASSWORD, known) == 201


async def test_an_administrator_unlocks(site):
    person = await site.person()
    await locked(site, person.email)
    assert (await posted(site, person, "unlock", {"reason": "called us"})).status_code == 204
    assert await try_sign_in(site, person.email, PASSWORD) == 201


async def test_a_reset_password_unlocks(site):
    person = await site.person()
    await locked(site, person.email)
    await site.post("/v1/password/reset", {"email": person.email})
    token = await site.newest_link(person.id, "PasswordResetRequested", "reset-password")
    new = "another horse, another staple"
    assert (await site.post("/v1/password/reset/complete", {"token": token, "password": new})).status_code == 204
    assert await try_sign_in(site, person.email, new) == 201


async def test_the_right_password_counts_failures_anew(site):
    person = await site.person()
    for _ in range(3):
        for _ in range(15):
            assert await try_sign_in(site, person.email) == 401
        assert await try_sign_in(site, person.email, PASSWORD) == 201


async def test_unlocking_is_for_those_with_the_link_or_the_right(site, somebody):
    answer = await site.post(f"/v1/users/{somebody.id}/unlock", None)
    assert answer.status_code == 401
    assert (await site.post(f"/v1/users/{somebody.id}/unlock", None, somebody)).status_code == 403
    forged = await site.post(f"/v1/users/{somebody.id}/unlock", {"token": "A" * 80})
    assert forged.status_code == 400
