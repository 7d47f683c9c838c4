"""The first administrator."""

import asyncio

from api.migrating import migrated
from tests.api.site import PASSWORD, served


async def test_signs_up_with_the_operators_link_and_administers(database):
    async with served(database) as site:
        body = {"token": site.sign_up_token, "email": "root@example.com", "password": PASSWORD, "display_name": "Root"}
        before = await site.head()
        answer = await site.post("/v1/administrators", body)
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/v1/users/{answer.json()['id']}"
        assert await site.events_after(before) == [
            "UserRegistered", "EmailVerified", "RoleGranted", "AdministratorAdded",
        ]  # fmt: skip
        person = await site.signed_in("root@example.com")
        assert (await site.get("/v1/events", person)).status_code == 200


async def test_is_exactly_one_however_many_try_at_once(database):
    async with served(database) as site:
        answers = await asyncio.gather(
            *(
                site.post(
                    "/v1/administrators",
                    {"token": site.sign_up_token, "email": f"root{number}@example.com", "password": PASSWORD},
                )
                for number in range(8)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [410] * 7
        assert await migrated(site.settings) is None


async def test_the_same_link_is_shown_until_it_is_used(database):
    async with served(database) as site:
        assert await migrated(site.settings) == site.sign_up_token
        assert await site.events_after(0) == ["FirstAdministratorInvited"]


async def test_needs_the_link(site):
    before = await site.head()
    for token in ("x", "A" * 90, site.link(site.administrator.id)):
        body = {"token": token, "email": site.new_email(), "password": PASSWORD}
        answer = await site.post("/v1/administrators", body)
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/problems/invalid-link")
        assert token not in answer.json()["detail"]
    assert await site.head() == before
