"""Changing an address, and taking an account back."""

import pytest

from commands.links import UNDO_EMAIL_CHANGE, VERIFY_EMAIL
from tests.api.site import PASSWORD


async def asked(site, person, email, password=PASSWORD):
    body = {"email": email, "password": password}
    return await site.post(f"/v1/users/{person.id}/email/change", body, person)


async def proved(site, person, topic="EmailChangeRequested"):
    token = await site.newest_link(person.id, topic)
    return await site.post(f"/v1/users/{person.id}/email/verify", {"token": token})


async def undone(site, person):
    token = await site.newest_link(person.id, "EmailChanged", UNDO_EMAIL_CHANGE)
    return await site.post(f"/v1/users/{person.id}/email/undo", {"token": token})


async def status(site, email, password=PASSWORD):
    return (await site.post("/v1/sessions", {"email": email, "password": password})).status_code


async def test_an_address_changes_once_the_new_one_is_proved(site):
    person, new = await site.person(), site.new_email()
    before = await site.head()
    answer = await asked(site, person, new)
    assert answer.status_code == 204, answer.text
    assert answer.headers["event-position"] == str(await site.head())
    assert (await status(site, person.email), await status(site, new)) == (201, 401)
    assert (await proved(site, person)).status_code == 204
    assert (await status(site, person.email), await status(site, new)) == (401, 201)
    topics = [topic for topic in await site.events_after(before) if topic != "SessionStarted"]
    assert topics == ["EmailChangeRequested", "EmailChanged"]
    await site.seen(person)
    assert (await site.get("/v1/me", person)).json()["email"] == new


async def test_a_link_of_a_change_works_once_and_only_the_newest(site):
    person = await site.person()
    for _ in range(2):
        assert (await asked(site, person, site.new_email())).status_code == 204
    older = site.link(person.id, 3)
    assert (await site.post(f"/v1/users/{person.id}/email/verify", {"token": older})).status_code == 410
    assert (await proved(site, person)).status_code == 204
    assert (await proved(site, person)).status_code == 410


async def test_the_present_password_is_asked_for(site):
    person = await site.person()
    before = await site.head()
    answer = await asked(site, person, site.new_email(), "another password")
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "wrong-password")
    assert await site.head() == before


async def test_the_present_password_cannot_be_guessed_with_a_stolen_token(site):
    person = await site.person()
    statuses = [(await asked(site, person, site.new_email(), f"guess {n}")).status_code for n in range(22)]
    assert statuses == [403] * 20 + [429] * 2
    refused = await asked(site, person, site.new_email())
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    assert await status(site, person.email) == 201, "whoever signs in has attempts of their own"


async def test_a_taken_address_is_answered_alike_and_cannot_be_proved(site, somebody):
    person = await site.person()
    answers = [await asked(site, person, email) for email in (somebody.email, site.new_email())]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert [answer.headers.keys() for answer in answers] == [answers[0].headers.keys()] * 2
    assert (await asked(site, person, somebody.email)).status_code == 204
    refused = await proved(site, person)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "address-taken")
    assert await status(site, somebody.email) == 201


async def test_an_address_that_somebody_else_never_proved_is_taken_over(site):
    person, new = await site.person(), site.new_email()
    squatter = await site.registered(new)
    await asked(site, person, new)
    assert (await proved(site, person)).status_code == 204
    late = await site.post(f"/v1/users/{squatter}/email/verify", {"token": site.link(squatter)})
    assert late.status_code == 410
    assert await status(site, new) == 201


async def test_the_same_address_in_another_spelling_changes_only_its_spelling(site):
    person = await site.person()
    await asked(site, person, person.email.upper())
    assert (await proved(site, person)).status_code == 204
    await site.seen(person)
    shown = (await site.get("/v1/me", person)).json()["email"]
    assert shown.partition("@")[0] == person.email.partition("@")[0].upper()
    assert await status(site, person.email) == 201


async def test_a_former_address_can_be_had_back_by_its_owner_and_by_nobody_else(site):
    person, new = await site.person(), site.new_email()
    await asked(site, person, new)
    await proved(site, person)
    before = await site.head()
    answer = await site.post("/v1/users", {"email": person.email, "password": PASSWORD})
    assert answer.status_code == 202
    assert await site.events_after(before) == ["AddressRegisteredAgain"]
    thief = await site.signed_in(new)
    assert (await undone(site, person)).status_code == 204
    assert (await undone(site, person)).status_code == 410
    assert (await site.get("/v1/me", thief)).status_code == 401
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": thief.tokens["refresh_token"]})
    assert refreshed.status_code == 401
    assert (await status(site, person.email), await status(site, new)) == (401, 401), "the password is gone"
    assert await site.registered(new), "the later address is free again"
    await site.seen(await recovered(site, person))


async def recovered(site, person):
    """The person, after having the password reset."""
    assert (await site.post("/v1/password/reset", {"email": person.email})).status_code == 202
    token = await site.newest_link(person.id, "PasswordResetRequested", "reset-password")
    body = {"token": token, "password": "another horse, another staple"}
    assert (await site.post("/v1/password/reset/complete", body)).status_code == 204
    return await site.signed_in(person.email, body["password"])


async def test_an_account_is_had_back_over_several_changes(site):
    person = await site.person()
    first = await site.head()
    for _ in range(3):
        await asked(site, person, site.new_email())
        await proved(site, person)
    (row,) = await site.database.query(
        "SELECT min(originator_version) AS version FROM stored_events "
        "WHERE originator_id = $1 AND topic = 'EmailChanged' AND notification_id > $2",
        person.id,
        first,
    )
    token = site.link(person.id, row["version"], purpose=UNDO_EMAIL_CHANGE)
    answer = await site.post(f"/v1/users/{person.id}/email/undo", {"token": token})
    assert answer.status_code == 204
    assert await recovered(site, person)
    claims = await site.database.query("SELECT proven FROM claims WHERE owner_id = $1", person.id)
    assert [claim["proven"] for claim in claims] == [True]


async def test_the_link_is_mailed_again_to_whoever_waits_for_it(site):
    user_id = await site.registered()
    before = await site.head()
    for _ in range(7):
        answer = await site.post(f"/v1/users/{user_id}/email/resend", None)
        assert (answer.status_code, answer.content) == (202, b"{}")
        assert not {"event-position", "etag"} & answer.headers.keys()
    assert await site.events_after(before) == ["VerificationRequested"] * 4, "the registration was mailed of, too"


async def test_the_link_of_a_change_is_mailed_again_to_oneself_only(site, somebody):
    person = await site.person()
    await asked(site, person, site.new_email())
    before = await site.head()
    await site.post(f"/v1/users/{person.id}/email/resend", None)
    await site.post(f"/v1/users/{person.id}/email/resend", None, somebody)
    assert await site.events_after(before) == []
    await site.post(f"/v1/users/{person.id}/email/resend", None, person)
    assert await site.events_after(before) == ["EmailChangeRequested"]


async def test_whoever_is_signed_in_says_why_it_is_mailed_again_and_nobody_else(site):
    person = await site.person()
    await asked(site, person, site.new_email())
    before, path, why = await site.head(), f"/v1/users/{person.id}/email/resend", {"reason": "the first was lost"}
    refused = await site.post(path, why)
    assert refused.status_code == 400
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/reason"]
    assert await site.head() == before
    assert (await site.post(path, why, person)).status_code == 202
    history = (await site.get(f"/v1/users/{person.id}/history?limit=200", site.administrator)).json()["items"]
    assert (history[-1]["type"], history[-1]["reason"]) == ("EmailChangeRequested", "the first was lost")


@pytest.mark.parametrize("purpose", [UNDO_EMAIL_CHANGE, "reset-password", "unlock"])
async def test_a_link_is_good_for_its_own_purpose_only(site, purpose):
    user_id = await site.registered()
    token = site.link(user_id, purpose=purpose)
    answer = await site.post(f"/v1/users/{user_id}/email/verify", {"token": token})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "invalid-link")
    wrong = site.link(user_id, purpose=VERIFY_EMAIL)
    for path in (f"/v1/users/{user_id}/email/undo", f"/v1/users/{user_id}/unlock"):
        assert (await site.post(path, {"token": wrong})).status_code == 400


async def test_a_pending_change_dies_with_a_reset_of_the_password(site):
    person = await site.person()
    await asked(site, person, site.new_email())
    await recovered(site, person)
    assert (await proved(site, person)).status_code == 410
