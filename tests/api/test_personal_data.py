"""Everything about a person, told to that person."""

from tests.api.site import PASSWORD


async def exported(site, person, by):
    return await site.get(f"/v1/users/{person.id}/export", by)


async def test_a_person_is_told_everything_that_is_held_about_them(site):
    person = await site.person()
    await site.request("PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": "Ada"})
    noted = await site.post(
        f"/v1/users/{person.id}/suspend", {"reason": "a chargeback"}, site.administrator, headers={"User-Agent": "desk"}
    )
    assert noted.status_code == 204
    await site.post(f"/v1/users/{person.id}/reinstate", {}, site.administrator)
    again = await site.signed_in(person.email)
    answer = await exported(site, again, again)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="muster-{person.id}.json"'
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["account"]["email"], told["account"]["display_name"]) == (person.email, "Ada")
    assert told["account"]["last_seen_at"] == told["sessions"][0]["started_at"]
    assert [session["id"] for session in told["sessions"]] == [again.session_id]
    assert {"password", "refresh"} <= {kept["kind"] for kept in told["kept"]}
    history = {event["type"]: event for event in told["history"]}
    assert history["UserRegistered"]["data"]["email"] == person.email
    assert (history["UserSuspended"]["reason"], history["UserSuspended"]["user_agent"]) == ("a chargeback", "desk")
    assert history["UserRegistered"]["address"] == "127.0.0.1"
    positions = [event["position"] for event in told["history"]]
    assert positions == sorted(positions)


async def test_it_tells_no_secret(site):
    person = await site.person()
    text = (await exported(site, person, person)).text
    assert PASSWORD not in text
    assert "$argon2" not in text
    assert person.tokens["refresh_token"] not in text


async def test_people_can_read_it_as_it_is(site):
    person = await site.person()
    lines = (await exported(site, person, person)).text.splitlines()
    assert len(lines) > 30
    assert lines[0] == "{"
    assert lines[1].startswith('  "note": "This is everything')


async def test_what_is_told_of_others_needs_the_right_to_see_and_to_audit(site):
    person, auditor, analyst = await site.person(), await site.person("auditor"), await site.person("analyst")
    assert (await exported(site, person, auditor)).status_code == 200
    for other in (analyst, await site.person()):
        assert (await exported(site, person, other)).status_code == 404
    assert (await exported(site, person, None)).status_code == 401


async def test_of_whoever_was_erased_there_is_nothing_to_tell(site):
    person = await site.person()
    await site.post(f"/v1/users/{person.id}/erase", {}, site.administrator)
    assert (await exported(site, person, site.administrator)).status_code == 404
