"""Being erased, over HTTP: by an administrator, and by oneself with a time to think better of it."""

from datetime import UTC, datetime, timedelta

from commands.links import WITHDRAW_ERASURE
from tests.api.site import PASSWORD


async def erase(site, person, by, **body):
    return await site.post(f"/v1/users/{person.id}/erase", body, by)


async def shown(site, person, by):
    headers = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    return await site.get(f"/v1/users/{person.id}", by, headers=headers)


async def sign_in(site, email):
    return await site.post("/v1/sessions", {"email": email, "password": PASSWORD})


async def test_whoever_an_administrator_erases_is_gone_at_once_and_for_good(site):
    person = await site.seen(await site.person())
    await site.request("PATCH", f"/v1/users/{person.id}/profile", person, json={"display_name": "Ada Lovelace"})
    before = await site.head()
    assert (await erase(site, person, site.administrator, reason="asked by letter")).status_code == 204
    assert await site.events_after(before) == ["UserErased", "SessionEnded"]
    assert (await site.get("/v1/me", person)).status_code == 401
    refreshed = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert refreshed.status_code == 401
    assert (await sign_in(site, person.email)).status_code == 401
    assert (await shown(site, person, site.administrator)).status_code == 404
    headers = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    listed = await site.get(f"/v1/users?search={person.email}", site.administrator, headers=headers)
    assert listed.json()["items"] == []
    assert (await erase(site, person, site.administrator)).status_code == 204
    assert await site.events_after(before) == ["UserErased", "SessionEnded"]


async def test_the_history_keeps_what_happened_and_has_forgotten_what_was_personal(site):
    person = await site.person()
    await erase(site, person, site.administrator, reason="asked by letter")
    history = (await site.get(f"/v1/users/{person.id}/history?limit=200", site.administrator)).json()["items"]
    registered, *_ = history
    erased = next(event for event in history if event["type"] == "UserErased")
    assert registered["data"]["email"] == {"forgotten": True}
    assert erased["reason"] == {"forgotten": True}
    assert erased["actor"]["id"] == str(site.administrator.id)
    assert person.email not in str(history)


async def test_the_address_is_free_again(site):
    person = await site.person()
    await erase(site, person, site.administrator)
    another = await site.person(email=person.email)
    assert another.id != person.id
    assert (await site.get("/v1/me", another)).json()["email"] == person.email


async def test_nothing_is_kept_of_them_but_the_tombstone_of_their_key(site):
    person = await site.person()
    await erase(site, person, site.administrator)
    query = site.database.query
    (key,) = await query("SELECT wrapped, forgotten_at FROM data_keys WHERE subject_id = $1", person.id)
    assert key["wrapped"] is None
    assert key["forgotten_at"] is not None
    for table, column in (("secrets", "subject_id"), ("receipts", "subject_id"), ("claims", "owner_id")):
        (row,) = await query(f"SELECT count(*) AS rows FROM {table} WHERE {column} = $1", person.id)
        assert row["rows"] == 0, table


async def test_whoever_asks_for_themselves_has_time_to_think_better_of_it(site):
    person = await site.person()
    before = await site.head()
    assert (await erase(site, person, person, password="a wrong guess")).status_code == 403
    assert (await erase(site, person, person)).json()["errors"][0]["pointer"] == "/password"
    assert await site.events_after(before) == []
    assert (await erase(site, person, person, password=PASSWORD)).status_code == 204
    assert (await erase(site, person, person, password=PASSWORD)).status_code == 204
    assert await site.events_after(before) == ["ErasureRequested"]
    due_at = datetime.fromisoformat((await shown(site, person, person)).json()["erasure_due_at"])
    assert timedelta(days=13) < due_at - datetime.now(UTC) < timedelta(days=15)
    assert (await sign_in(site, person.email)).status_code == 201
    withdrawn = await site.request("DELETE", f"/v1/users/{person.id}/erase", person)
    assert withdrawn.status_code == 204
    assert (await shown(site, person, person)).json()["erasure_due_at"] is None
    again = await site.request("DELETE", f"/v1/users/{person.id}/erase", person)
    assert again.status_code == 204
    topics = [topic for topic in await site.events_after(before) if topic != "SessionStarted"]
    assert topics == ["ErasureRequested", "ErasureWithdrawn"]


async def test_the_link_that_was_mailed_withdraws_it_once(site):
    person = await site.person()
    await erase(site, person, person, password=PASSWORD)
    token = await site.newest_link(person.id, "ErasureRequested", WITHDRAW_ERASURE)
    path = f"/v1/users/{person.id}/erase/withdraw"
    other = await site.person()
    assert (await site.post(f"/v1/users/{other.id}/erase/withdraw", {"token": token})).status_code == 400
    assert (await site.post(path, {"token": token})).status_code == 204
    assert (await site.post(path, {"token": token})).status_code == 410
    assert (await site.get("/v1/me", person)).status_code == 200


async def test_an_administrator_may_withdraw_it_for_them_and_others_do_not_see_them(site):
    person, other = await site.person(), await site.person()
    await erase(site, person, person, password=PASSWORD)
    assert (await erase(site, person, other, password=PASSWORD)).status_code == 404
    assert (await site.request("DELETE", f"/v1/users/{person.id}/erase", other)).status_code == 404
    assert (await site.request("DELETE", f"/v1/users/{person.id}/erase", site.administrator)).status_code == 204


async def test_a_dry_run_erases_nobody(site):
    person = await site.person()
    before = await site.head()
    tried = await site.post(f"/v1/users/{person.id}/erase", {}, site.administrator, headers={"Prefer": "dry-run"})
    assert tried.status_code == 200
    assert [event["type"] for event in tried.json()["events"]] == ["UserErased", "SessionEnded"]
    assert await site.head() == before
    assert (await site.get("/v1/me", person)).status_code == 200


async def test_one_administrator_who_can_act_remains(fresh):
    refused = await erase(fresh, fresh.administrator, fresh.administrator, password=PASSWORD)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "last-administrator")
    other = await fresh.person("administrator")
    assert (await erase(fresh, other, fresh.administrator)).status_code == 204
    (row,) = await fresh.database.query(
        "SELECT count(*) AS gone FROM stored_events WHERE topic = 'AdministratorRemoved' AND subject_id = $1", other.id
    )
    assert row["gone"] == 1
