"""Changing a password, and having it reset."""

import asyncio

from tests.api.site import PASSWORD

NEW = "another horse, another staple"


async def changed(site, person, present=PASSWORD, new=NEW):
    body = {"password": present, "new_password": new}
    return await site.post(f"/v1/users/{person.id}/password/change", body, person)


async def reset_token(site, person, hours=1.0):
    assert (await site.post("/v1/password/reset", {"email": person.email})).status_code == 202
    return await site.newest_link(person.id, "PasswordResetRequested", "reset-password", hours)


async def completed(site, token, password=NEW):
    return await site.post("/v1/password/reset/complete", {"token": token, "password": password})


async def living(site, person):
    """Whether anything that the person was given still opens something."""
    me = await site.get("/v1/me", person)
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    return me.status_code == 200 or refreshed.status_code == 200


async def test_a_changed_password_opens_and_the_one_before_does_not(site):
    person = await site.person()
    other = await site.signed_in(person.email)
    before = await site.head()
    assert (await changed(site, person)).status_code == 204
    assert await site.events_after(before) == ["PasswordChanged", "SessionEnded", "SessionEnded"]
    assert not await living(site, person)
    assert not await living(site, other)
    assert (await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})).status_code == 401
    assert await living(site, await site.signed_in(person.email, NEW))


async def test_the_hash_of_the_password_before_is_gone(site):
    person = await site.person()
    await changed(site, person)
    rows = await site.database.query("SELECT revision FROM secrets WHERE owner_id = $1", person.id)
    assert [row["revision"] for row in rows] == [2]


async def test_a_weak_password_is_refused_with_its_place(site):
    person = await site.person()
    answer = await changed(site, person, new="short")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/new_password"]
    own = await changed(site, person, new=person.email)
    assert (own.status_code, own.json()["type"].rpartition("/")[2]) == (400, "weak-password")


async def test_a_wrong_present_password_is_refused_with_a_challenge(site):
    answer = await changed(site, await site.person(), present="another one")
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "wrong-password")
    assert answer.headers["www-authenticate"] == 'Bearer realm="muster"'


async def test_nobody_changes_anothers(site, somebody):
    for person in (site.administrator, await site.person()):
        answer = await site.post(
            f"/v1/users/{somebody.id}/password/change", {"password": PASSWORD, "new_password": NEW}, person
        )
        assert answer.status_code == 404


async def test_a_forgotten_password_is_chosen_anew_by_mail(site):
    person = await site.person()
    token = await reset_token(site, person)
    before = await site.head()
    answer = await completed(site, token)
    assert answer.status_code == 204, answer.text
    assert "muster_device=" in answer.headers["set-cookie"]
    assert answer.headers["etag"] == '"4.4.own"'
    assert await site.events_after(before) == ["PasswordReset", "SessionEnded"]
    assert not await living(site, person)
    assert await living(site, await site.signed_in(person.email, NEW))


async def test_a_link_works_once_also_twenty_times_at_once(site):
    token = await reset_token(site, await site.person())
    answers = await asyncio.gather(*(completed(site, token) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [204] + [410] * 19


async def test_a_link_is_dead_when_it_is_old_or_a_newer_one_was_asked_for(site):
    person = await site.person()
    old = await reset_token(site, person)
    newer = await reset_token(site, person)
    assert (await completed(site, old)).status_code == 410
    expired = await site.newest_link(person.id, "PasswordResetRequested", "reset-password", -0.1)
    answer = await completed(site, expired)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (410, "link-expired")
    assert (await completed(site, newer)).status_code == 204


async def test_a_link_is_dead_after_the_address_or_the_password_changed(site):
    person, new = await site.person(), site.new_email()
    token = await reset_token(site, person)
    await site.post(f"/v1/users/{person.id}/email/change", {"email": new, "password": PASSWORD}, person)
    proof = await site.newest_link(person.id, "EmailChangeRequested")
    await site.post(f"/v1/users/{person.id}/email/verify", {"token": proof})
    assert (await completed(site, token)).status_code == 410
    other = await site.person()
    token = await reset_token(site, other)
    await changed(site, other)
    assert (await completed(site, token)).status_code == 410


async def test_the_answer_tells_nothing(site, somebody):
    unproved = site.new_email()
    await site.registered(unproved)
    answers = [
        await site.post("/v1/password/reset", {"email": email}, headers={"X-Request-Id": "same"})
        for email in (somebody.email, unproved, "nobody@example.com", "no address")
    ]
    told = [
        (answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k != "traceparent"})
        for answer in answers
    ]
    assert told == [told[0]] * 4
    assert told[0][:2] == (202, b"{}")


async def test_a_thousand_resets_are_five_mails_an_hour(site):
    person = await site.person()
    before = await site.head()
    for _ in range(12):
        await site.post("/v1/password/reset", {"email": person.email})
    assert await site.events_after(before) == ["PasswordResetRequested"] * 5
    token = await site.newest_link(person.id, "PasswordResetRequested", "reset-password")
    assert (await completed(site, token)).status_code == 204, "the newest link lives, whoever asks on"


async def test_the_victim_of_a_squatter_gets_the_account_and_the_squatter_nothing(site):
    email = site.new_email()
    user_id = await site.registered(email, "the squatter's own horse")
    await site.post("/v1/password/reset", {"email": email})
    token = await site.newest_link(user_id, "PasswordResetRequested", "reset-password")
    before = await site.head()
    assert (await completed(site, token)).status_code == 204
    assert await site.events_after(before) == ["PasswordReset", "EmailVerified"]
    refused = await site.post("/v1/sessions", {"email": email, "password": "the squatter's own horse"})
    assert refused.status_code == 401
    mailed = await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
    assert mailed.status_code == 410
    await site.signed_in(email, NEW)


async def test_a_changed_password_races_refreshing_and_suspending_and_no_token_lives(site):
    for _ in range(4):
        person = await site.person()
        token = {"refresh_token": person.tokens["refresh_token"]}
        change, refresh, suspend = await asyncio.gather(
            changed(site, person),
            site.post("/v1/sessions/refresh", token),
            site.post(f"/v1/users/{person.id}/suspend", {}, site.administrator),
        )
        assert suspend.status_code == 204
        assert change.status_code in (204, 401, 404)
        tokens = [person.tokens] + ([refresh.json()] if refresh.status_code == 200 else [])
        for given in tokens:
            headers = {"Authorization": f"Bearer {given['access_token']}"}
            assert (await site.get("/v1/me", headers=headers)).status_code == 401
            again = await site.post("/v1/sessions/refresh", {"refresh_token": given["refresh_token"]})
            assert again.status_code == 401
