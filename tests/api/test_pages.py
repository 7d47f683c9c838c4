"""The pages that links lead to. What a page does when its button is pressed is read from the page, as its script does."""

import base64
import hashlib
import re

import pytest

from commands.links import ACCEPT_INVITATION, RESET_PASSWORD, UNDO_EMAIL_CHANGE, UNLOCK, VERIFY_EMAIL
from tests.api.site import PASSWORD, in_one_task, served

MAILED = (VERIFY_EMAIL, UNDO_EMAIL_CHANGE, RESET_PASSWORD, UNLOCK)
ANOTHER = "seven lanterns on the quay"


async def press(site, name, given, user_id="", **filled):
    """Fill in the form of a page that was opened with a token, and press its button."""
    page = (await site.get(f"/{name}")).text
    (path,) = re.findall(r'<form data-path="([^"]+)"', page)
    assert set(re.findall(r'<input name="(\w+)"', page)) == filled.keys()
    return await site.post("/" + path.replace("{user}", str(user_id)), {"token": given, **filled})


async def follow(site, topic, purpose, user_id, **filled):
    """Open the link that answers the newest event of a type, and go through with it."""
    return await press(site, purpose, await site.newest_link(user_id, topic, purpose), user_id, **filled)


@pytest.mark.parametrize("name", [*MAILED, "accept-invitation", "sign-up"])
async def test_the_policy_lets_the_page_do_what_is_in_it_and_nothing_else(site, name):
    page = await site.get(f"/{name}")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\son[a-z]+=|\ssrc=|https?://|javascript:", page.text)
    assert re.search(r'data-done="[^"]{20,}"', page.text), "it says what to do next"


@pytest.mark.parametrize("name", [*MAILED, "accept-invitation", "sign-up"])
async def test_a_page_is_found_with_a_slash_at_its_end_as_well(site, name):
    assert (await site.get(f"/{name}/")).content == (await site.get(f"/{name}")).content


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_whoever_merely_follows_the_link_spends_nothing(site, method):
    user_id = await site.registered()
    before = await site.head()
    for purpose in MAILED:
        query = f"user={user_id}&token={await site.newest_link(user_id, 'UserRegistered', purpose)}"
        await site.request(method, f"/{purpose}?{query}")
        await site.request(method, f"/v1/users/{user_id}/email/verify?{query}")
    assert await site.head() == before
    assert (await follow(site, "UserRegistered", VERIFY_EMAIL, user_id)).status_code == 204


async def test_an_address_is_proved_once_the_button_is_pressed(site):
    email = site.new_email()
    user_id = await site.registered(email)
    assert (await follow(site, "UserRegistered", VERIFY_EMAIL, user_id)).status_code == 204
    await site.signed_in(email)


async def test_a_change_of_address_is_proved_on_the_same_page_and_undone_on_another(site):
    person, new = await site.person(), site.new_email()
    asked = await site.post(f"/v1/users/{person.id}/email/change", {"email": new, "password": PASSWORD}, person)
    assert asked.status_code == 204
    assert (await follow(site, "EmailChangeRequested", VERIFY_EMAIL, person.id)).status_code == 204
    await site.signed_in(new)
    assert (await follow(site, "EmailChanged", UNDO_EMAIL_CHANGE, person.id)).status_code == 204
    for email in (new, person.email):
        assert (await site.post("/v1/sessions", {"email": email, "password": PASSWORD})).status_code == 401


async def test_a_new_password_is_chosen_and_the_device_is_known(site):
    person = await site.person()
    assert (await site.post("/v1/password/reset", {"email": person.email})).status_code == 202
    chosen = await follow(site, "PasswordResetRequested", RESET_PASSWORD, person.id, password=ANOTHER)
    assert chosen.status_code == 204
    assert "muster_device=" in chosen.headers["set-cookie"]
    await site.signed_in(person.email, ANOTHER)


async def test_an_account_is_unlocked_and_the_device_is_known(site):
    person = await site.person()
    site.client.cookies.clear()
    for _ in range(site.settings.sign_in_attempts):
        await site.post("/v1/sessions", {"email": person.email, "password": ANOTHER})
    assert (await site.post("/v1/sessions", {"email": person.email, "password": PASSWORD})).status_code == 401
    unlocked = await follow(site, "UserLocked", UNLOCK, person.id)
    assert unlocked.status_code == 204
    assert "muster_device=" in unlocked.headers["set-cookie"]
    await site.signed_in(person.email)


async def test_the_first_administrator_signs_up(database):
    async with in_one_task(served(database)) as empty:
        person = {"email": empty.new_email(), "password": ANOTHER, "display_name": "Grace"}
        signed_up = await press(empty, "sign-up", empty.sign_up_token, **person)
        assert signed_up.status_code == 201
        await empty.signed_in(person["email"], ANOTHER)


async def test_whoever_was_invited_chooses_a_password(site):
    email = site.new_email()
    invited = await site.post("/v1/invitations", {"email": email}, site.administrator)
    token = site.link(invited.json()["id"], purpose=ACCEPT_INVITATION)
    accepted = await press(site, "accept-invitation", token, password=ANOTHER, display_name="Grace")
    assert accepted.status_code == 201
    await site.signed_in(email, ANOTHER)


async def test_what_the_form_is_wrong_about_is_told(site):
    person = await site.person()
    assert (await site.post("/v1/password/reset", {"email": person.email})).status_code == 202
    refused = await follow(site, "PasswordResetRequested", RESET_PASSWORD, person.id, password="too short")
    assert refused.status_code == 400
    assert [error["detail"] for error in refused.json()["errors"]] == [
        "A password has at least 12 characters; choose a longer one."
    ]
    assert (
        await follow(site, "PasswordResetRequested", RESET_PASSWORD, person.id, password=ANOTHER)
    ).status_code == 204, "the link is not spent by it"


async def test_the_documentation_asks_no_other_server(site):
    page = await site.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text.replace("</", "")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    script = await site.get("/docs/scalar.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert len(script.content) > 1_000_000
    plain = await site.client.get("/docs/scalar.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == script.content
    assert (await site.get("/docs/elsewhere")).headers["content-type"] == "application/problem+json"
