"""Links in mails: spent by those who press a button, not by what looks at them, and never bent to another host."""

from uuid import uuid4

import pytest

from api.pages import Pages
from events.connections import connect
from events.keys import derived
from events.store import read_stream
from events.user import PasswordResetRequested
from projections.reactions.deliveries import Delivery
from projections.reactions.emails import Emails
from projections.reactions.mails import SLOTS, Links
from tests.api.site import PASSWORD

PAGES = (
    *("/verify-email", "/reset-password", "/undo-email-change", "/unlock"),
    *("/withdraw-erasure", "/accept-invitation", "/sign-up"),
)


async def written(site, user_id, kind):
    """The mail about the newest event of a kind, as it is handed in."""
    connection = await connect(site.database.url("reader"), "tests")
    try:
        history = await read_stream(connection, site.database.keys, user_id)
    finally:
        await connection.close()
    event = next(event for event in reversed(history) if isinstance(event.event, kind))
    delivery = Delivery(uuid4(), event.position, "emails", SLOTS[kind], user_id, 1, event.recorded_at)
    links = Links(site.settings.base_url, derived(site.database.secret, "links"))
    return Emails(site.settings.mail_from, links).write(delivery, history).as_bytes().decode()


def test_every_page_is_looked_at():
    assert {*PAGES} == {*Pages.page.paths}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", [*PAGES, "/v1/users/{id}/email/verify", "/v1/password/reset/complete"])
async def test_a_scanner_that_looks_at_a_link_spends_nothing(site, method, path):
    user_id = await site.registered()
    token = site.link(user_id)
    before = await site.head()
    for query in ("", f"?user={user_id}&token={token}"):
        await site.request(method, path.format(id=user_id) + query)
    assert await site.head() == before
    assert (await site.post(f"/v1/users/{user_id}/email/verify", {"token": token})).status_code == 204


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/users/{id}/email/verify", {"token": "TOKEN"}),
        ("/v1/users/{id}/email/undo", {"token": "TOKEN"}),
        ("/v1/users/{id}/unlock", {"token": "TOKEN"}),
        ("/v1/password/reset/complete", {"token": "TOKEN", "password": PASSWORD}),
    ],
)
async def test_a_bad_token_is_neither_told_back_nor_logged(site, capsys, path, body):
    user_id = await site.registered()
    token = "Zm9yZ2VkLXRva2Vu" * 4
    answer = await site.post(path.format(id=user_id), {**body, "token": token})
    assert answer.status_code == 400
    assert token not in answer.text
    assert token not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded"])
async def test_a_forged_host_is_not_believed_where_links_are_asked_for(site, name):
    person = await site.person()
    told = {name: "host=evil.example" if name == "Forwarded" else "evil.example"}
    answer = await site.post("/v1/password/reset", {"email": person.email}, headers=told)
    assert answer.status_code == 202
    assert "evil" not in answer.text + str(answer.headers)
    mail = await written(site, person.id, PasswordResetRequested)
    assert f"\n{site.settings.base_url}/reset-password#user={person.id}&token=" in mail
    assert "evil" not in mail


@pytest.mark.parametrize(
    ("stored", "spelt"),
    [
        ("Grace.Hopper{n}@example.com", "grace.hopper{n}@EXAMPLE.COM"),
        ("grace{n}@example.com", "GRACE{n}@\uff45xample.com"),
    ],
)
async def test_a_reset_is_mailed_to_the_address_as_it_is_stored_however_it_is_spelt(site, stored, spelt):
    number = await site.head()
    stored, spelt = stored.format(n=number), spelt.format(n=number)
    person = await site.person(email=stored)
    assert (await site.post("/v1/password/reset", {"email": spelt})).status_code == 202
    mail = await written(site, person.id, PasswordResetRequested)
    assert [line for line in mail.splitlines() if line.startswith("To:")] == [f"To: {stored}"]
    assert spelt.partition("@")[0] not in mail


async def test_what_is_no_host_is_answered_by_nothing_that_was_sent(site, somebody):
    before = await site.head()
    answer = await site.post(
        "/v1/password/reset", {"email": somebody.email}, headers={"Host": "muster.example@evil.example"}
    )
    assert answer.status_code == 400
    assert "evil" not in answer.text + str(answer.headers)
    assert await site.head() == before
