"""Profiles, metadata, reasons and dry runs."""

import pytest

from tests.api.site import PASSWORD


async def changed(site, person, body, by=None, **headers):
    return await site.request(
        "PATCH",
        f"/v1/users/{person.id}/profile",
        by or person,
        json=body,
        headers={k: str(v) for k, v in headers.items()},
    )


async def noted(site, person, method, body, by=None):
    return await site.request(method, f"/v1/users/{person.id}/metadata", by or person, json=body)


async def shown(site, person, by=None):
    headers = {"Min-Position": str(await site.head()), "Prefer": "wait=10"}
    return (await site.get(f"/v1/users/{person.id}", by or person, headers=headers)).json()


async def test_one_event_for_each_fact_that_changed_and_none_for_what_did_not(site):
    person = await site.person()
    body = {
        "display_name": "Ada",
        "locale": "en-gb",
        "time_zone": "europe/london",
        "picture_url": "https://example.com/ada.png",
    }
    before = await site.head()
    assert (await changed(site, person, body)).status_code == 204
    assert await site.events_after(before) == [
        "DisplayNameChanged",
        "LocaleChanged",
        "TimeZoneChanged",
        "PictureChanged",
    ]
    view = await shown(site, person)
    assert {name: view[name] for name in body} == {**body, "locale": "en-GB", "time_zone": "Europe/London"}
    before = await site.head()
    assert (await changed(site, person, {**body, "display_name": "Countess"})).status_code == 204
    assert await site.events_after(before) == ["DisplayNameChanged"]
    assert (await changed(site, person, dict.fromkeys(body))).status_code == 204
    view = await shown(site, person)
    assert [view[name] for name in body] == [None] * 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("locale", "english"[:1]),
        ("locale", "en_GB"),
        ("locale", "x" * 36),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("picture_url", "http://example.com/a.png"),
        ("picture_url", "javascript:alert(1)"),
        ("picture_url", "https://user:secret@example.com/a.png"),
        ("picture_url", "https://example.com/a b.png"),
        ("picture_url", "https://example.com:99999999/"),
        ("picture_url", "https://[::1"),
        ("display_name", "a\r\nb"),
    ],
)
async def test_what_is_no_locale_zone_or_picture_is_refused_and_nothing_changes(site, somebody, field, value):
    before = await site.head()
    other = {"display_name": "Ada"} if field != "display_name" else {}
    answer = await changed(site, somebody, {field: value, **other})
    assert answer.status_code == 400, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]
    assert await site.head() == before


async def test_an_administrators_change_names_actor_subject_and_reason(site):
    person = await site.person()
    answer = await changed(site, person, {"display_name": "Ada", "reason": "she asked by phone"}, site.administrator)
    assert answer.status_code == 204
    history = (await site.get(f"/v1/users/{person.id}/history?limit=200", site.administrator)).json()["items"]
    event = history[-1]
    assert (event["type"], event["command"], event["reason"]) == (
        "DisplayNameChanged",
        "ChangeProfile",
        "she asked by phone",
    )
    assert event["actor"] == {"type": "user", "id": str(site.administrator.id)}
    assert event["subject"] == str(person.id)
    (row,) = await site.database.query(
        "SELECT metadata::text AS text FROM stored_events WHERE notification_id = $1", event["position"]
    )
    assert "phone" not in row["text"], "reasons are sealed"


async def test_metadata_are_merged_and_replaced_by_compartment(site):
    person = await site.person()
    assert (
        await noted(site, person, "PATCH", {"own": {"theme": "dark", "tour": {"step": 1, "seen": True}}})
    ).status_code == 204
    assert (await noted(site, person, "PATCH", {"own": {"tour": {"step": 2, "seen": None}}})).status_code == 204
    assert (await shown(site, person))["metadata"] == {"own": {"theme": "dark", "tour": {"step": 2}}}
    before = await site.head()
    assert (await noted(site, person, "PATCH", {"own": {"theme": "dark"}})).status_code == 204
    assert await site.events_after(before) == []
    assert (await noted(site, person, "PUT", {"own": {"theme": "light"}})).status_code == 204
    assert await site.events_after(before) == ["OwnMetadataChanged"]
    assert (await shown(site, person))["metadata"] == {"own": {"theme": "light"}}
    assert (await noted(site, person, "PUT", {"own": {}})).status_code == 204
    assert (await shown(site, person))["metadata"] == {"own": {}}


async def test_what_administrators_note_is_for_them_to_write_and_not_for_its_subject_to_see(site):
    person = await site.person()
    assert (await noted(site, person, "PATCH", {"admin": {"plan": "pro"}})).status_code == 403
    answer = await noted(site, person, "PATCH", {"admin": {"plan": "pro"}}, site.administrator)
    assert answer.status_code == 204
    assert (await shown(site, person))["metadata"] == {"own": {}}
    seen = await shown(site, person, site.administrator)
    assert seen["metadata"] == {"own": {}, "admin": {"plan": "pro"}}


@pytest.mark.parametrize(
    "entries",
    [
        {str(n): 1 for n in range(65)},
        {"x" * 65: 1},
        {"": 1},
        {"big": "x" * 8200},
        {"deep": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}},
        {"number": 2**53 + 1},
        "text",
        ["list"],
        None,
    ],
    ids=lambda entries: str(entries)[:20],
)
async def test_metadata_have_bounds(site, somebody, entries):
    before = await site.head()
    for method in ("PUT", "PATCH"):
        answer = await noted(site, somebody, method, {"own": entries})
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/own"]
    assert await site.head() == before


async def test_metadata_grow_to_their_bounds_and_no_further(site):
    person = await site.person()
    for n in range(64):
        assert (await noted(site, person, "PATCH", {"own": {f"n{n}": n}})).status_code == 204
    answer = await noted(site, person, "PATCH", {"own": {"one": "more"}})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "invalid-metadata")


async def test_a_dry_run_tells_what_would_be_recorded_and_records_nothing(site):
    person = await site.person()
    before = await site.head()
    answer = await changed(site, person, {"display_name": "Ada", "locale": "fr"}, Prefer="dry-run")
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "dry-run"
    events = answer.json()["events"]
    assert [(event["type"], event["version"]) for event in events] == [("DisplayNameChanged", 3), ("LocaleChanged", 4)]
    assert events[0]["data"] == {"display_name": "Ada"}
    assert (events[0]["stream"], events[0]["subject"], events[0]["command"]) == (
        str(person.id),
        str(person.id),
        "ChangeProfile",
    )
    assert await site.head() == before


async def test_a_dry_run_is_refused_for_the_reason_the_command_would_be(site, somebody):
    dry = {"Prefer": "respond-async, dry-run; foo=bar"}
    path = f"/v1/users/{await site.registered()}/roles/administrator"
    unproved = await site.request("PUT", path, site.administrator, headers=dry)
    assert unproved.status_code == 409
    stale = await changed(site, somebody, {"display_name": "Ada"}, Prefer="dry-run", **{"If-Match": '"999"'})
    assert stale.status_code == 412
    other = await site.person()
    assert (await changed(site, somebody, {"display_name": "Ada"}, other, Prefer="dry-run")).status_code == 404


async def test_a_suspension_can_be_tried_out_by_whoever_may_suspend(site):
    person = await site.person()
    before = await site.head()
    answer = await site.post(
        f"/v1/users/{person.id}/suspend", {"reason": "a chargeback"}, site.administrator, headers={"Prefer": "dry-run"}
    )
    told = [(event["type"], event["reason"]) for event in answer.json()["events"]]
    assert told == [("UserSuspended", "a chargeback"), ("SessionEnded", "a chargeback")]
    assert await site.head() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/users", {"email": "new@example.com", "password": PASSWORD}),
        ("/v1/sessions", {"email": "new@example.com", "password": PASSWORD}),
        ("/v1/sessions/refresh", {"refresh_token": "A" * 70}),
        ("/v1/password/reset", {"email": "new@example.com"}),
        ("/v1/password/reset/complete", {"token": "A" * 80, "password": PASSWORD}),
        ("/v1/users/{id}/password/change", {"password": PASSWORD, "new_password": "another horse, another staple"}),
        ("/v1/users/{id}/email/change", {"email": "new@example.com", "password": PASSWORD}),
        ("/v1/users/{id}/email/resend", None),
        ("/v1/users/{id}/email/verify", {"token": "A" * 80}),
        ("/v1/users/{id}/email/undo", {"token": "A" * 80}),
        ("/v1/users/{id}/unlock", {"token": "A" * 80}),
        ("/v1/administrators", {"token": "A" * 80, "email": "new@example.com", "password": PASSWORD}),
    ],
)
async def test_what_is_open_to_anyone_or_takes_a_secret_cannot_be_tried_out(site, somebody, path, body):
    before = await site.head()
    answer = await site.post(path.format(id=somebody.id), body, somebody, headers={"Prefer": "dry-run"})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "dry-run-refused")
    assert await site.head() == before


async def test_sessions_tell_their_devices_and_when_they_were_seen(site):
    person = await site.person()
    agent = {"User-Agent": "A browser on a lantern"}
    body = {"email": person.email, "password": PASSWORD}
    second = (await site.post("/v1/sessions", body, headers=agent)).json()
    answer = await site.get(f"/v1/users/{person.id}/sessions", person)
    newest, first = answer.json()["items"]
    assert (newest["id"], newest["user_agent"], newest["current"]) == (second["session_id"], agent["User-Agent"], False)
    assert (first["id"], first["current"]) == (person.session_id, True)
    assert first["address"] == "127.0.0.1"
    elsewhere = {"User-Agent": "Another browser"}
    await site.post("/v1/sessions/refresh", {"refresh_token": second["refresh_token"]}, headers=elsewhere)
    (seen, _) = (await site.get(f"/v1/users/{person.id}/sessions", person)).json()["items"]
    assert seen["user_agent"] == "Another browser"
    assert seen["last_seen_at"] > newest["last_seen_at"]
    assert seen["started_at"] == newest["started_at"]


async def test_signing_out_everywhere_ends_what_is_there_and_nothing_twice(site):
    person = await site.person()
    other = await site.signed_in(person.email)
    before = await site.head()
    assert (await site.request("DELETE", f"/v1/users/{person.id}/sessions", person)).status_code == 204
    assert await site.events_after(before) == ["SignedOutEverywhere", "SessionEnded", "SessionEnded"]
    for one in (person, other):
        assert (await site.get("/v1/me", one)).status_code == 401
    before = await site.head()
    assert (await site.request("DELETE", f"/v1/users/{person.id}/sessions", site.administrator)).status_code == 204
    assert await site.head() == before
    assert (await site.get(f"/v1/users/{person.id}/sessions", site.administrator)).json()["items"] == []
