"""Service accounts over HTTP: made, given roles and keys, shut out."""

import pytest

from tests.api.keyed import issued
from tests.api.site import PASSWORD


def kind(answer):
    return answer.json()["type"].rpartition("/")[2]


async def made(site, **more):
    answer = await site.post("/v1/service-accounts", {"name": "billing", **more}, site.administrator)
    assert answer.status_code == 201, answer.text
    return answer


async def key_for(site, account, *scopes):
    body = {"name": "x", "scopes": [*scopes]}
    answer = await site.post(f"/v1/users/{account}/api-keys", body, site.administrator)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


async def test_is_a_user_without_an_address(site):
    before = await site.head()
    answer = await made(site, description="sends invoices", reason="for the new shop")
    shown = answer.json()
    assert answer.headers["location"] == f"/v1/users/{shown['id']}"
    assert (shown["kind"], shown["email"], shown["display_name"], shown["status"]) == (
        "service",
        None,
        "billing",
        "active",
    )
    assert shown["metadata"]["admin"] == {"description": "sends invoices"}
    assert await site.events_after(before) == ["ServiceAccountCreated", "AdministratorsMetadataChanged"]
    head = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    listed = await site.get("/v1/users?search=billing&limit=200", site.administrator, headers=head)
    assert shown["id"] in [one["id"] for one in listed.json()["items"]]
    by_id = await site.get(f"/v1/users/{shown['id']}", site.administrator, headers=head)
    assert by_id.json() == shown


async def test_making_one_can_be_tried_out(site):
    before = await site.head()
    body = {"name": "billing", "description": "invoices", "reason": "new"}
    tried = await site.post("/v1/service-accounts", body, site.administrator, headers={"Prefer": "dry-run"})
    assert (tried.status_code, tried.headers["preference-applied"]) == (200, "dry-run")
    told = [(event["type"], event["reason"]) for event in tried.json()["events"]]
    assert told == [("ServiceAccountCreated", "new"), ("AdministratorsMetadataChanged", "new")]
    assert await site.head() == before


async def test_acts_by_its_keys_with_what_its_roles_say(site):
    account = (await made(site)).json()["id"]
    body = {"name": "x", "scopes": ["users:read"]}
    refused = await site.post(f"/v1/users/{account}/api-keys", body, site.administrator)
    assert (refused.status_code, kind(refused)) == (403, "scope-not-held")
    granted = await site.request("PUT", f"/v1/users/{account}/roles/auditor", site.administrator)
    assert granted.status_code == 204
    key = await key_for(site, account, "users:read", "account:read")
    head = str(await site.head())
    me = await site.get("/v1/me", headers={**key, "Min-Position": head, "Prefer": "wait=10"})
    assert (me.status_code, me.json()["id"]) == (200, account)
    assert (await site.get("/v1/users", headers=key)).status_code == 200
    assert (await site.get("/v1/statistics/registrations", headers=key)).status_code == 403


async def test_does_not_administer(site):
    account = (await made(site)).json()["id"]
    refused = await site.request("PUT", f"/v1/users/{account}/roles/administrator", site.administrator)
    assert (refused.status_code, kind(refused)) == (409, "address-not-proved")


async def test_is_shut_out_and_let_in_again(site):
    account = (await made(site)).json()["id"]
    key = await key_for(site, account, "account:read")
    head = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    assert (await site.get("/v1/me", headers=key | head)).status_code == 200
    for path, status in (("suspend", 401), ("reinstate", 200)):
        assert (await site.post(f"/v1/users/{account}/{path}", {}, site.administrator)).status_code == 204
        assert (await site.get("/v1/me", headers=key)).status_code == status


async def test_keys_of_people_are_issued_by_nobody_else(site, somebody, auditor):
    body = {"name": "x", "scopes": ["account:read"]}
    for asker in (site.administrator, auditor):
        answer = await site.post(f"/v1/users/{somebody.id}/api-keys", body, asker)
        assert (answer.status_code, kind(answer)) == (404, "no-such-user")
    account = (await made(site)).json()["id"]
    assert (await site.post(f"/v1/users/{account}/api-keys", body, auditor)).status_code == 404


async def test_nothing_is_mailed_to_it_and_nobody_signs_in(site):
    account = (await made(site)).json()["id"]
    before = await site.head()
    assert (await site.post(f"/v1/users/{account}/email/resend", None)).status_code == 202
    for email in ("", "billing", account):
        answer = await site.post("/v1/sessions", {"email": email, "password": PASSWORD})
        assert answer.status_code == 401
        assert (await site.post("/v1/password/reset", {"email": email})).status_code == 202
    link = {"token": site.link(account)}
    assert (await site.post(f"/v1/users/{account}/email/verify", link)).status_code in (404, 410)
    assert await site.head() == before


@pytest.mark.parametrize("name", ["", "x" * 101, "a\u202eb"])
async def test_what_is_wrong_with_it_is_told(site, name):
    before = await site.head()
    answer = await site.post("/v1/service-accounts", {"name": name}, site.administrator)
    assert (answer.status_code, kind(answer)) == (400, "invalid-fields")
    assert await site.head() == before


async def test_one_may_be_made_with_an_administrators_key(site):
    key = await issued(site, await site.person("administrator"), "users:write")
    assert (await site.post("/v1/service-accounts", {"name": "billing"}, key)).status_code == 201
