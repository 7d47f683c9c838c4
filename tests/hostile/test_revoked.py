"""Access tokens from before what cuts them off: refused at once here, within a second elsewhere, and after a restart."""

from contextlib import AsyncExitStack

import pytest

from commands.links import UNDO_EMAIL_CHANGE
from tests.api.conftest import whole
from tests.api.site import PASSWORD, in_one_task, served
from tests.apps import App
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


async def revoked(site, person):
    return await site.request("DELETE", f"/v1/users/{person.id}/roles/analyst", site.administrator)


async def confirmed(site, person):
    shown = (await site.post(f"/v1/users/{person.id}/totp", None, person)).json()
    return await site.post(f"/v1/users/{person.id}/totp/confirm", {"code": App(shown["secret"]).code()}, person)


async def erased(site, person):
    return await site.post(f"/v1/users/{person.id}/erase", {}, site.administrator)


async def taken_back(site, person):
    await site.moved(person)
    token = await site.newest_link(person.id, "EmailChanged", UNDO_EMAIL_CHANGE)
    return await site.post(f"/v1/users/{person.id}/email/undo", {"token": token})


NEWER = (granted, revoked, confirmed)
"""What ends no session: a token that knows of it is had by refreshing."""

CUTS = (ended, signed_out_everywhere, changed, reset, suspended, taken_back, erased, *NEWER)


async def somebody_before(site, cut):
    """Somebody to whom it can be done."""
    return await site.seen(await site.person("analyst") if cut is revoked else await site.person())


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
    person = await somebody_before(first, cut)
    assert (await status(first, person), await status(second, person)) == (200, 200)
    assert (await cut(first, person)).status_code in (200, 204)
    assert await status(first, person) == 401

    async def known_elsewhere():
        return await status(second, person) == 401

    await until(known_elsewhere, seconds=1)
    async with in_one_task(served(first.database)) as restarted:
        assert await status(restarted, person) == 401


@pytest.mark.parametrize("cut", [cut for cut in CUTS if cut not in NEWER], ids=lambda cut: cut.__name__)
async def test_a_refresh_token_from_before_is_dead_as_well(pair, cut):
    first, second = pair
    person = await somebody_before(first, cut)
    assert (await cut(first, person)).status_code == 204
    for site in (first, second):
        answer = await site.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
        assert answer.status_code == 401


@pytest.mark.parametrize("cut", NEWER, ids=lambda cut: cut.__name__)
async def test_a_role_or_a_factor_that_changed_ends_no_session(pair, cut):
    first, _ = pair
    person = await somebody_before(first, cut)
    assert (await cut(first, person)).status_code in (200, 204)
    answer = await first.post("/v1/sessions/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert answer.status_code == 200
