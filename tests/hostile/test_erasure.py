"""Whatever races an erasure: nothing of the person comes back."""

import asyncio

from tests.api.site import PASSWORD


async def kept_of(site, person):
    """What is kept of someone beside the log."""
    rows = await site.database.query(
        "SELECT (SELECT count(*) FROM secrets WHERE subject_id = $1) AS secrets, "
        "(SELECT count(*) FROM receipts WHERE subject_id = $1) AS receipts, "
        "(SELECT count(*) FROM claims WHERE owner_id = $1) AS claims, "
        "(SELECT count(*) FROM data_keys WHERE subject_id = $1 AND wrapped IS NOT NULL) AS keys",
        person.id,
    )
    return dict(rows[0])


async def test_no_token_outlives_an_erasure_that_races_sign_ins_and_refreshes(site):
    for _ in range(5):
        person = await site.person()
        refresh = {"refresh_token": person.tokens["refresh_token"]}
        *answers, erased = await asyncio.gather(
            *(site.post("/v1/sessions", {"email": person.email, "password": PASSWORD}) for _ in range(5)),
            *(site.post("/v1/sessions/refresh", refresh) for _ in range(3)),
            site.post(f"/v1/users/{person.id}/erase", {}, site.administrator),
        )
        assert erased.status_code == 204
        assert {answer.status_code for answer in answers} <= {200, 201, 401}
        for answer in answers:
            if answer.status_code != 401:
                tokens = answer.json()
                headers = {"Authorization": f"Bearer {tokens['access_token']}"}
                assert (await site.get("/v1/me", headers=headers)).status_code == 401
                body = {"refresh_token": tokens["refresh_token"]}
                assert (await site.post("/v1/sessions/refresh", body)).status_code == 401
        assert set((await kept_of(site, person)).values()) == {0}


async def test_changes_that_race_it_are_done_before_or_not_at_all(site):
    person = await site.person()
    await asyncio.gather(
        *(
            site.request("PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": f"Ada {number}"})
            for number in range(10)
        ),
        site.post(f"/v1/users/{person.id}/email/change", {"email": site.new_email(), "password": PASSWORD}, person),
        site.post(f"/v1/users/{person.id}/erase", {}, site.administrator),
    )
    rows = await site.database.query(
        "SELECT topic FROM stored_events WHERE originator_id = $1 ORDER BY originator_version", person.id
    )
    assert rows[-1]["topic"] == "UserErased"
    assert set((await kept_of(site, person)).values()) == {0}


async def test_an_address_that_is_registered_while_it_is_freed_is_somebody_elses(site):
    person = await site.person()
    answers = await asyncio.gather(
        site.post(f"/v1/users/{person.id}/erase", {}, site.administrator),
        *(site.post("/v1/users", {"email": person.email, "password": PASSWORD}) for _ in range(5)),
    )
    assert [answer.status_code for answer in answers] == [204, *[202] * 5]
    (row,) = await site.database.query("SELECT count(*) AS rows FROM claims WHERE owner_id = $1", person.id)
    assert row["rows"] == 0


async def test_erasing_twenty_times_at_once_erases_once(site):
    person = await site.person()
    before = await site.head()
    path = f"/v1/users/{person.id}/erase"
    answers = await asyncio.gather(*(site.post(path, {}, site.administrator) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {204}
    assert await site.events_after(before) == ["UserErased", "SessionEnded"]


async def test_what_was_kept_to_be_answered_again_is_not_answered_to_who_was_erased(site):
    person = await site.person()
    headers = {"Idempotency-Key": "a key of hers"}
    change = {"display_name": "Ada"}
    path = f"/v1/users/{person.id}/profile"
    assert (await site.request("PATCH", path, person, json=change, headers=headers)).status_code == 204
    await site.post(f"/v1/users/{person.id}/erase", {}, site.administrator)
    assert (await site.request("PATCH", path, person, json=change, headers=headers)).status_code == 401
    assert (await kept_of(site, person))["receipts"] == 0
