"""What happens when many ask at once."""

import asyncio

import pytest

from tests.api.accepted import OTHERS, VERSIONED
from tests.api.site import PASSWORD

# What each link does, and how those are answered who come too late.
LINKS = {
    "verify_email": ("link-spent", ["EmailVerified"]),
    "undo_email_change": ("link-spent", ["EmailChangeUndone", "SessionEnded"]),
    "reset_password": ("link-spent", ["PasswordReset", "SessionEnded"]),
    "unlock_user, by link": ("link-spent", ["UserUnlocked"]),
    "withdraw_erasure_by_link": ("link-spent", ["ErasureWithdrawn"]),
    "accept_invitation": ("invitation-over", ["UserRegistered", "EmailVerified", "InvitationAccepted"]),
}


async def test_fifty_registrations_of_one_address_leave_one_account_that_can_sign_in(fresh):
    email = fresh.new_email()
    answers = await asyncio.gather(
        *(fresh.post("/v1/users", {"email": email, "password": PASSWORD}) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {202}
    proofs = await asyncio.gather(
        *(
            fresh.post(f"/v1/users/{answer.json()['id']}/email/verify", {"token": fresh.link(answer.json()["id"])})
            for answer in answers
        )
    )
    assert sorted(proof.status_code for proof in proofs) == [204] + [410] * 49
    person = await fresh.signed_in(email)
    assert str(person.id) in {answer.json()["id"] for answer in answers}


async def test_one_refresh_token_used_twenty_times_at_once_has_one_successor(site):
    person = await site.person()
    body = {"refresh_token": person.tokens["refresh_token"]}
    answers = await asyncio.gather(*(site.post("/v1/sessions/refresh", body) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert (await site.post("/v1/sessions/refresh", {"refresh_token": successors.pop()})).status_code == 200


@pytest.mark.parametrize("name", LINKS)
async def test_one_link_used_twenty_times_at_once_works_once(site, name):
    refusal, events = LINKS[name]
    asked = await (VERSIONED | OTHERS)[name](site)
    before = await site.head()
    answers = await asyncio.gather(*(asked.sent(site) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [asked.status] + [410] * 19
    refused = {answer.json()["type"].rpartition("/")[2] for answer in answers if answer.status_code == 410}
    assert refused == {refusal}
    assert await site.events_after(before) == events


async def test_two_administrators_who_revoke_each_other_leave_one(fresh):
    other = await fresh.person("administrator")
    pair = [fresh.administrator, other]
    answers = await asyncio.gather(
        *(
            fresh.request("DELETE", f"/v1/users/{one.id}/roles/administrator", another)
            for one, another in (pair, reversed(pair))
        )
    )
    assert min(answer.status_code for answer in answers) == 204
    topics = await fresh.events_after(0)
    assert topics.count("AdministratorAdded") - topics.count("AdministratorRemoved") == 1


async def test_no_token_outlives_a_session_that_ends_while_it_is_refreshed(site):
    for _ in range(5):
        person = await site.person()
        refreshed, ended = await asyncio.gather(
            site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]}),
            site.request("DELETE", f"/v1/sessions/{person.session_id}", person),
        )
        assert ended.status_code == 204
        tokens = [person.tokens] + ([refreshed.json()] if refreshed.status_code == 200 else [])
        for token in tokens:
            headers = {"Authorization": f"Bearer {token['access_token']}"}
            assert (await site.get("/v1/me", headers=headers)).status_code == 401
