"""`muster sessions`, as an operator runs it."""

from uuid_utils.compat import uuid7

from tests.api.console import history, muster, refused, told
from tests.api.site import Site


async def test_a_session_is_ended(site: Site):
    person = await site.person()
    (done,) = await told(site, "sessions", "end", person.session_id, "--reason", "lost phone")
    assert (done["id"], done["events"]) == (person.session_id, ["SessionEnded"])
    answer = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert answer.status_code == 401
    ended = (await history(site, str(person.id)))[-1]
    assert (ended["type"], ended["reason"]) == ("SessionEnded", "lost phone")
    (again,) = await told(site, "sessions", "end", person.session_id)
    assert again["changed"] is False
    assert "There is no such session." in await refused(site, "sessions", "end", str(uuid7()))


async def test_sessions_are_listed_as_the_api_lists_them(site: Site):
    person = await site.person()
    again = await site.signed_in(person.email)
    listed = await told(site, "sessions", "list", person.email)
    assert [session["id"] for session in listed] == [again.session_id, person.session_id]
    answered = (await site.get(f"/v1/users/{person.id}/sessions", site.administrator)).json()["items"]
    assert listed == answered
    heading, line, _ = (await muster(site, "sessions", "list", str(person.id))).stdout.splitlines()
    assert heading.startswith("ID ")
    assert line.startswith(again.session_id)
    assert line.endswith("python-httpx/" + answered[0]["user_agent"].partition("/")[2])


async def test_every_session_of_a_user_is_ended(site: Site):
    person = await site.person()
    await site.signed_in(person.email)
    (done,) = await told(site, "sessions", "end-all", person.email, "--reason", "stolen laptop")
    assert done["events"] == ["SignedOutEverywhere", "SessionEnded", "SessionEnded"]
    assert await told(site, "sessions", "list", person.email) == []
    assert (await history(site, str(person.id)))[-1]["reason"] == "stolen laptop"
    (again,) = await told(site, "sessions", "end-all", person.email)
    assert again["changed"] is False


async def test_nobody_has_no_sessions(site: Site):
    for command in ("list", "end-all"):
        assert "There is no such user." in await refused(site, "sessions", command, str(uuid7()))
