"""Invitations over HTTP: sent, listed, withdrawn, accepted."""

from datetime import UTC, datetime, timedelta

import pytest

from commands.links import ACCEPT_INVITATION, link_token
from events.keys import derived
from tests.api.conftest import whole
from tests.api.keyed import issued
from tests.api.site import PASSWORD, in_one_task
from tests.api.test_step_up import tired


def kind(answer):
    return answer.json()["type"].rpartition("/")[2]


async def invited(site, email=None, **more):
    email = email or site.new_email()
    answer = await site.post("/v1/invitations", {"email": email, **more}, site.administrator)
    assert answer.status_code == 201, answer.text
    return email, answer.json()["id"]


def link(site, invitation_id):
    return site.link(invitation_id, hours=168, purpose=ACCEPT_INVITATION)


async def accept(site, invitation_id, **more):
    return await site.post("/v1/invitations/accept", {"token": link(site, invitation_id), "password": PASSWORD, **more})


async def test_the_link_makes_a_user_with_the_roles_that_came_with_it(site):
    email, invitation_id = await invited(site, roles=["auditor"], display_name="Grace", locale="en", reason="hired")
    answer = await accept(site, invitation_id)
    assert answer.status_code == 201, answer.text
    person = await site.seen(await site.signed_in(email))
    assert answer.headers["location"] == f"/v1/users/{person.id}"
    me = (await site.get("/v1/me", person)).json()
    assert (me["roles"], me["display_name"], me["locale"], me["status"]) == (["auditor"], "Grace", "en", "active")
    again = await accept(site, invitation_id)
    assert (again.status_code, kind(again)) == (410, "invitation-over")


async def test_is_told_without_the_token_and_is_no_user(site):
    answer = await site.post("/v1/invitations", {"email": site.new_email(), "expires_in_hours": 2}, site.administrator)
    assert answer.json().keys() == {"id", "expires_at"}
    soon = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=119) < soon < timedelta(minutes=121)
    assert answer.headers["location"] == f"/v1/invitations/{answer.json()['id']}"
    assert (await site.get(f"/v1/users/{answer.json()['id']}", site.administrator)).status_code == 404


async def test_those_that_are_open_are_listed_and_withdrawn(site, auditor):
    email, invitation_id = await invited(site, roles=["analyst"])
    first = await site.get("/v1/invitations?limit=1", auditor)
    assert first.status_code == 200
    found, cursor = first.json()["items"], first.json()["next"]
    while cursor:
        page = await site.get(f"/v1/invitations?limit=1&cursor={cursor}", auditor)
        found, cursor = found + page.json()["items"], page.json()["next"]
    (told,) = [one for one in found if one["id"] == invitation_id]
    assert (told["email"], told["roles"], told["by"]) == (email, ["analyst"], str(site.administrator.id))
    before = await site.head()
    path = f"/v1/invitations/{invitation_id}"
    assert (await site.request("DELETE", path, auditor)).status_code == 403
    for _ in range(2):
        assert (await site.request("DELETE", path, site.administrator)).status_code == 204
    assert await site.events_after(before) == ["InvitationWithdrawn"]
    refused = await accept(site, invitation_id)
    assert (refused.status_code, kind(refused)) == (410, "invitation-over")
    listed = (await site.get("/v1/invitations?limit=200", auditor)).json()["items"]
    assert invitation_id not in [one["id"] for one in listed]
    assert email not in (await site.get("/v1/events?limit=200&type=UserInvited", auditor)).text


async def test_sending_one_and_withdrawing_it_can_be_tried_out_by_whoever_sees_users(site, somebody):
    email, invitation_id = await invited(site)
    dry, before = {"Prefer": "dry-run"}, await site.head()
    tried = await site.post(
        "/v1/invitations", {"email": site.new_email(), "reason": "hired"}, site.administrator, headers=dry
    )
    assert (tried.status_code, tried.headers["preference-applied"]) == (200, "dry-run")
    assert [(event["type"], event["reason"]) for event in tried.json()["events"]] == [("UserInvited", "hired")]
    taken = await site.post("/v1/invitations", {"email": somebody.email}, site.administrator, headers=dry)
    assert taken.status_code == 409
    path = f"/v1/invitations/{invitation_id}"
    tried = await site.request("DELETE", path, site.administrator, headers=dry)
    assert [event["type"] for event in tried.json()["events"]] == ["InvitationWithdrawn"]
    assert await site.head() == before
    key = await issued(site, site.administrator, "users:write")
    before = await site.head()
    unseen = await site.request("DELETE", path, key, headers=dry)
    assert (unseen.status_code, kind(unseen)) == (400, "dry-run-refused")
    assert (await accept(site, invitation_id)).status_code == 201
    assert (await site.signed_in(email)).email == email


async def test_an_address_that_somebody_has_is_told_to_whoever_may_know(site, somebody):
    answer = await site.post("/v1/invitations", {"email": somebody.email}, site.administrator)
    assert (answer.status_code, kind(answer)) == (409, "address-taken")


async def test_roles_take_a_fresh_proof_and_an_invitation_without_does_not(site):
    administrator = await site.person("administrator")
    late = await tired(site, administrator, "administrator")
    body = {"email": site.new_email(), "roles": ["administrator"]}
    refused = await site.post("/v1/invitations", body, late)
    assert (refused.status_code, kind(refused)) == (401, "step-up-required")
    assert (await site.post("/v1/invitations", {"email": body["email"]}, late)).status_code == 201
    key = await issued(site, administrator, "users:write")
    refused = await site.post("/v1/invitations", body, key)
    assert (refused.status_code, kind(refused)) == (403, "session-required")
    assert (await site.post("/v1/invitations", {"email": body["email"]}, key)).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"email": ["a@example.com", "b@example.com"]}, "/email"),
        ({"email": "a@example.com", "roles": ["king"]}, "/roles"),
        ({"email": "a@example.com", "roles": "auditor"}, "/roles"),
        ({"email": "a@example.com", "expires_in_hours": 0}, "/expires_in_hours"),
        ({"email": "a@example.com", "expires_in_hours": 10**6}, "/expires_in_hours"),
        ({"email": "a@example.com", "password": PASSWORD}, "/password"),
        ({"email": "a@example.com", "display_name": "a\rb"}, "/display_name"),
    ],
)
async def test_what_is_wrong_with_it_is_told(site, body, pointer):
    before = await site.head()
    answer = await site.post("/v1/invitations", body, site.administrator)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await site.head() == before


async def test_a_password_that_is_easy_to_guess_spends_nothing(site):
    email, invitation_id = await invited(site)
    refused = await accept(site, invitation_id, password=email)
    assert (refused.status_code, kind(refused)) == (400, "weak-password")
    assert (await accept(site, invitation_id, display_name="Grace")).status_code == 201


async def test_a_forged_link_is_refused_and_not_echoed(site):
    _, invitation_id = await invited(site)
    key = derived(site.database.secret, "links")
    other = link_token(key, ACCEPT_INVITATION, site.administrator.id, 1, datetime.now(UTC) + timedelta(hours=1))
    for token in (other, link(site, invitation_id)[:-1], site.link(invitation_id)):
        answer = await site.post("/v1/invitations/accept", {"token": token, "password": PASSWORD})
        assert (answer.status_code, kind(answer)) == (400, "invalid-link")
        assert token not in answer.text


async def test_the_same_request_with_its_key_is_answered_alike(site):
    _, invitation_id = await invited(site)
    body = {"token": link(site, invitation_id), "password": PASSWORD}
    headers = {"Idempotency-Key": "one-acceptance"}
    answers = [await site.post("/v1/invitations/accept", body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_people_are_invited_where_nobody_can_register(database):
    async with in_one_task(whole(database, registration="closed")) as closed:
        email = closed.new_email()
        assert (await closed.post("/v1/users", {"email": email, "password": PASSWORD})).status_code == 403
        _, invitation_id = await invited(closed, email)
        assert (await accept(closed, invitation_id)).status_code == 201
        await closed.signed_in(email)
