"""`If-Match` on whatever answers a version: refused and nothing done when somebody was quicker, done when nobody was."""

import pytest

from commands.links import UNDO_EMAIL_CHANGE, WITHDRAW_ERASURE
from tests.api.keyed import issued
from tests.api.site import PASSWORD
from tests.api.test_invitations import invited


async def a_session(site):
    person = await site.person()
    return "DELETE", f"/v1/sessions/{person.session_id}", None, person, 1


async def an_invitation(site):
    _, invitation_id = await invited(site)
    return "DELETE", f"/v1/invitations/{invitation_id}", None, site.administrator, 1


async def an_api_key(site):
    person = await site.person()
    key = await issued(site, person)
    return "DELETE", f"/v1/users/{person.id}/api-keys/{key.id}", None, person, 1


async def an_address(site):
    user_id = await site.registered()
    return "POST", f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)}, None, 1


async def a_changed_address(site):
    person = await site.person()
    body = {"email": site.new_email(), "password": PASSWORD}
    assert (await site.post(f"/v1/users/{person.id}/email/change", body, person)).status_code == 204
    proof = {"token": await site.newest_link(person.id, "EmailChangeRequested")}
    assert (await site.post(f"/v1/users/{person.id}/email/verify", proof)).status_code == 204
    token = await site.newest_link(person.id, "EmailChanged", UNDO_EMAIL_CHANGE)
    return "POST", f"/v1/users/{person.id}/email/undo", {"token": token}, None, 4


async def an_erasure(site):
    person = await site.person()
    assert (await site.post(f"/v1/users/{person.id}/erase", {"password": PASSWORD}, person)).status_code == 204
    token = await site.newest_link(person.id, "ErasureRequested", WITHDRAW_ERASURE)
    return "POST", f"/v1/users/{person.id}/erase/withdraw", {"token": token}, None, 3


@pytest.mark.parametrize(
    "about",
    [a_session, an_invitation, an_api_key, an_address, a_changed_address, an_erasure],
    ids=lambda it: it.__name__,
)
async def test_is_compared_with_the_stream_whose_version_is_answered(site, about):
    method, path, body, asker, version = await about(site)
    before = await site.head()
    for stale in (f'"{version + 1}"', f'"{version - 1}.1."', f'W/"{version}"'):
        answer = await site.request(method, path, asker, json=body, headers={"If-Match": stale})
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (412, "stale-version"), answer.text
    assert await site.head() == before
    answer = await site.request(method, path, asker, json=body, headers={"If-Match": f'"{version}"'})
    assert answer.status_code == 204, answer.text
    assert answer.headers["etag"].startswith(f'"{version + 1}.')
