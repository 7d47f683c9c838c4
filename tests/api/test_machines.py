"""What machines ask."""

import asyncio
import time

from api.migrating import migrated
from tests.api.site import served, settings_for
from tests.proxy import Proxy


async def test_a_process_lives_and_is_ready(site):
    assert (await site.get("/livez")).json() == {"status": "live"}
    assert (await site.get("/readyz")).json() == {"status": "ready", "reasons": []}


async def test_metrics_tell_of_requests_by_route_and_of_commands(site, somebody):
    await site.get(f"/v1/users/{somebody.id}", somebody)
    answer = await site.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'muster_http_request_seconds_count{method="GET",route="/v1/users/{user_id}",status="200"}' in answer.text
    assert 'muster_commands_total{command="SignIn",outcome="recorded"}' in answer.text
    assert "muster_commit_batch_commands_count" in answer.text
    assert str(somebody.id) not in answer.text


async def test_a_process_that_cannot_follow_the_log_believes_no_token_and_says_so(database):
    await migrated(settings_for(database))
    proxy = Proxy(database.owner_url)
    url = await proxy.start()
    async with served(database, database_url=url) as site:
        user_id = await site.registered("ada@example.com")
        await site.post(f"/v1/users/{user_id}/email/verify", {"token": site.link(user_id)})
        person = await site.signed_in("ada@example.com")
        revocations = site.app.process.revocations
        await proxy.stop()
        ready = await site.get("/readyz")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
        began = time.monotonic()
        while (
            (answer := await site.get("/v1/me", person)).json()["type"].endswith(("/store-unavailable", "/view-behind"))
        ):
            assert time.monotonic() - began < 8
            await asyncio.sleep(0.1)
        assert answer.status_code == 503
        assert answer.json()["type"].endswith("/problems/revocations-behind")
        assert not revocations.trustworthy
        assert any("Revocations" in reason for reason in (await site.get("/readyz")).json()["reasons"])
        assert (await site.get("/livez")).status_code == 200


async def test_a_process_recovers_when_the_database_comes_back(database):
    await migrated(settings_for(database))
    proxy = Proxy(database.owner_url)
    url = await proxy.start()
    async with served(database, database_url=url) as site:
        await site.registered("ada@example.com")
        proxy.cut()
        async with asyncio.timeout(5):
            while (await site.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as a balancer does
                await asyncio.sleep(0.05)
        statuses = [
            (await site.post("/v1/users", {"email": f"a{n}@example.com", "password": "a horse, a staple"})).status_code
            for n in range(8)
        ]
        assert set(statuses) <= {202, 503}
        assert statuses[-1] == 202
    await proxy.stop()
