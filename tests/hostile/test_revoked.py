"""Access tokens from before what cuts them off: refused at once here, within a second elsewhere, and after a restart."""

from contextlib import AsyncExitStack

import pytest

from commands.links import UNDO_EMAIL_CHANGE
from tests.api.conftest import whole
from tests.api.site import PASSWORD, in_one_task, served
from tests.support import until

NEW = "another horse, another staple"


async def ended(site, person):
    return await site.request("DELETE", f"/v1/sessions/{person.session_id}", person)


async def signed_out_everywhere(site, person):
    return await site.request("DELETE", f"/v1/users/{person.id}/sessions", person)


async def changed(site, person):
    body = {"password": PASSWORD, "new_password": NEW}
    return await site.post(f"/v1/users/{person.id}/password/change", body, person)


async def reset(site, person):
    await site.post("/v1/password/reset", {"email": person.email})
    token = await site.newest_link(person.id, "PasswordResetRequested", "reset-password")
    return await site.post("/v1/password/reset/complete", {"token": token, "password": NEW})


async def suspended(site, person):
    return await site.post(f"/v1/users/{person.id}/suspend", {}, site.administrator)


async def granted(site, person):
    return await site.request("PUT", f"/v1/users/{person.id}/roles/analyst", site.administrator)


async def taken_back(site, person):
    body = {"email": site.new_email(), "password": PASSWORD}
    await site.post(f"/v1/users/{person.id}/email/change", body, person)
    proof = await site.newest_link(person.id, "EmailChangeRequested")
    await site.post(f"/v1/users/{person.id}/email/verify", {"token": proof})
    token = await site.newest_link(person.id, "EmailChanged", UNDO_EMAIL_CHANGE)
    return await site.post(f"/v1/users/{person.id}/email/undo", {"token": token})


CUTS = (ended, signed_out_everywhere, changed, reset, suspended, granted, taken_back)


@pytest.fixture(scope="module")
async def pair(make_database):
    """Two API processes on one database."""
    async with AsyncExitStack() as stack:
        database = await make_database()
        first = await stack.enter_async_context(in_one_task(whole(database)))
        second = await stack.enter_async_context(in_one_task(served(database)))
        yield first, second


async def status(site, person):
    return (await site.get("/v1/me", person)).status_code


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
async def test_counts_no_longer_here_at_once_elsewhere_within_a_second_and_after_a_restart(pair, cut):
    first, second = pair
    person = await first.seen(await first.person())
    assert (await status(first, person), await status(second, person)) == (200, 200)
    assert (await cut(first, person)).status_code == 204
    assert await status(first, person) == 401

    async def known_elsewhere():
        return await status(second, person) == 401

    await until(known_elsewhere, seconds=1)
    async with in_one_task(served(first.database)) as restarted:
        assert await status(restarted, person) == 401


@pytest.mark.parametrize("cut", [cut for cut in CUTS if cut is not granted], ids=lambda cut: cut.__name__)
async def test_a_refresh_token_from_before_is_dead_as_well(pair, cut):
    first, second = pair
    person = await first.person()
    await cut(first, person)
    for site in (first, second):
        answer = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
        assert answer.status_code == 401


async def test_a_role_that_changed_ends_no_session(pair):
    first, _ = pair
    person = await first.person()
    await granted(first, person)
    answer = await first.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert answer.status_code == 200
