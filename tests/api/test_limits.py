"""Limits: what is counted, and how it is told."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from limits import parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from structlog.testing import capture_logs

from api.client_addresses import client_network
from api.counters import PREFIX, Bucket, Counters
from api.embedded import Valkey
from api.limits import Policy
from settings import SettingsRefused, load, rate_limit
from tests.api.site import PASSWORD, Site, environment_for, served
from tests.support import until

UNPROVED = {"email": "nobody@example.com", "password": PASSWORD}


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    """The test run's Valkey, emptied."""
    async with Redis.from_url(valkey.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def counters(valkey: Valkey, redis: Redis) -> AsyncIterator[Counters]:
    made = Counters(valkey.url)
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def limited_site(database: Any, valkey: Valkey, **changes: Any) -> AsyncIterator[Site]:
    async with served(database, redis_url=valkey.url, **changes) as made:
        yield made


def from_address(site: Site, host: str) -> httpx.AsyncClient:
    """A client at another address than that of the site's own."""
    transport = httpx.ASGITransport(app=site.app, client=(host, 1234))  # type: ignore[arg-type] # as in tests.api.site
    return httpx.AsyncClient(transport=transport, base_url=site.settings.base_url)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.8", "203.0.113.8"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_an_address_stands_for_its_network(host, network):
    assert client_network(host) == network


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [
        ("30 per minute", 30, 60),
        ("5/hour", 5, 3600),
        ("10 per 5 minutes", 10, 300),
        ("10000 per 30 day", 10_000, 2592000),
    ],
)
def test_a_setting_is_read_in_the_notation_of_the_library(text, amount, seconds):
    item = rate_limit(text)
    assert item is not None
    assert (item.amount, item.get_expiry()) == (amount, seconds)


@pytest.mark.parametrize("text", ["none", " NONE ", ""])
def test_none_is_no_limit(text):
    assert rate_limit(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "many",
        "30",
        "30 per fortnight",
        "0 per minute",
        "10001 per minute",
        "1 per 31 day",
        "-1 per day",
        "5/hour; 9/day",
    ],
)
def test_what_is_no_limit_keeps_a_process_from_starting(text):
    class Known:
        owner_url, master_key, secret = "postgresql://h/d", bytes(range(32)), bytes(range(32, 64))

    with pytest.raises(SettingsRefused, match=r"MUSTER_LIMIT_SIGN_IN_BY_ADDRESS must be .* as in `30 per minute`"):
        load(environment_for(Known(), MUSTER_LIMIT_SIGN_IN_BY_ADDRESS=text))  # type: ignore[arg-type]


async def refused(counters: Counters, *buckets: Bucket) -> bool:
    standings = await counters.take(buckets)
    assert standings is not None
    return standings[-1].refused


async def test_admits_as_many_as_the_quota_and_then_none(counters):
    standings = [(await counters.take([Bucket("a", 3, 60)]))[0] for _ in range(5)]
    assert [standing.left for standing in standings] == [2, 1, 0, 0, 0]
    assert [standing.refused for standing in standings] == [False, False, False, True, True]
    assert all(58 <= standing.seconds <= 60 for standing in standings)


async def test_admits_again_when_the_first_is_long_enough_ago(counters):
    bucket = Bucket("a", 2, 1)
    assert [await refused(counters, bucket) for _ in range(3)] == [False, False, True]

    async def admitted() -> bool:
        return not await refused(counters, bucket)

    began = time.monotonic()
    assert await until(admitted)
    assert time.monotonic() - began > 0.8


async def test_a_bucket_that_refuses_spares_the_next(counters):
    first, second = Bucket("a", 1, 60), Bucket("b", 1, 60)
    assert not await refused(counters, first)
    assert await refused(counters, first, second)
    assert not await refused(counters, second)


async def test_requests_that_come_at_once_are_counted_apart(counters):
    asked = [counters.take([Bucket(f"{number % 5}", 10, 60), Bucket("all", 400, 60)]) for number in range(500)]
    answers = await asyncio.gather(*asked)
    assert sum(not standings[-1].refused for standings in answers) == 50


async def test_counts_as_the_library_does(counters, valkey):
    item = parse("3 per minute")
    policy = Policy.of("sign-in-by-address", item, of_account=False)
    await counters.take([policy.bucket("someone")])
    storage = RedisStorage(f"async+{valkey.url}", implementation="redispy", key_prefix=PREFIX.removesuffix(":"))
    library = MovingWindowRateLimiter(storage)
    named = type(item)(item.amount, item.multiples, namespace="LIMITER")
    assert (await library.get_window_stats(named, policy.name, "someone")).remaining == 2
    assert await library.hit(named, policy.name, "someone")
    (standing,) = await counters.take([policy.bucket("someone")])
    assert standing.left == 0
    assert not await library.hit(named, policy.name, "someone")
    await storage.bridge.storage.aclose()  # type: ignore[attr-defined] # it is that of redis-py


async def test_whoever_goes_away_while_it_is_counted_harms_nobody(counters):
    gone = asyncio.create_task(counters.take([Bucket("a", 5, 60)]))
    await asyncio.sleep(0)
    gone.cancel()
    assert not await refused(counters, Bucket("a", 5, 60))
    assert counters.in_force


async def test_a_server_that_was_started_again_is_asked_again(tmp_path):
    server = Valkey(tmp_path)
    server.start()
    counters = Counters(server.url)
    await counters.start()
    assert await counters.take([Bucket("a", 5, 60)])
    server.stop()
    with capture_logs() as logged:
        assert [await counters.take([Bucket("a", 5, 60)]) for _ in range(100)] == [None] * 100
        assert not counters.in_force
        server.start()

        async def in_force() -> bool:
            return counters.in_force

        await until(in_force)
    assert [line["event"] for line in logged] == [
        "limits are not in force: Redis does not answer",
        "limits are in force again",
    ]
    assert not await refused(counters, Bucket("a", 5, 60))
    await counters.stop()
    server.stop()


async def test_without_redis_everything_works_and_says_nothing_of_limits(database):
    with capture_logs() as logged:
        async with served(database) as site:
            answers = [await site.post("/v1/sessions", UNPROVED) for _ in range(12)]
            assert (await site.get("/readyz")).status_code == 200
            assert "muster_limits_unavailable 1.0" in (await site.get("/metrics")).text
    assert {answer.status_code for answer in answers} == {401}
    assert not any("ratelimit" in name for name in answers[0].headers)
    assert [line["event"] for line in logged].count("limits are not in force: Redis does not answer") == 1


async def test_an_answer_tells_the_policies_and_what_is_left_to_this_client(database, valkey, redis):
    async with limited_site(
        database, valkey, limit_sign_in_by_address="30 per minute", limit_sign_in_by_account="3 per 10 minutes"
    ) as site:
        told = [(await site.post("/v1/sessions", UNPROVED)).headers for _ in range(2)]
        assert "muster_limits_unavailable 0.0" in (await site.get("/metrics")).text
    assert told[0]["ratelimit-policy"] == '"sign-in-by-address";q=30;w=60, "sign-in-by-account";q=3;w=600'
    assert told[0]["ratelimit"] == '"sign-in-by-address";r=29;t=60'
    assert told[1]["ratelimit"].startswith('"sign-in-by-address";r=28;t=')


async def test_one_too_many_is_a_problem_that_says_when_to_come_again(database, valkey, redis):
    async with limited_site(database, valkey, limit_sign_in_by_account="2 per minute") as site:
        answers = [await site.post("/v1/sessions", UNPROVED) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[2].json()["type"].endswith("/problems/too-many-requests")
    headers = answers[2].headers
    seconds = int(headers["retry-after"])
    assert 55 <= seconds <= 60
    assert headers["ratelimit"] == f'"sign-in-by-account";r=0;t={seconds}'
    assert headers["cache-control"] == "no-store"


async def test_a_client_that_is_refused_takes_nothing_from_the_account(database, valkey, redis):
    limits = {"limit_sign_in_by_address": "2 per minute", "limit_sign_in_by_account": "4 per minute"}
    async with limited_site(database, valkey, **limits) as site, from_address(site, "203.0.113.7") as other:
        statuses = [(await site.post("/v1/sessions", UNPROVED)).status_code for _ in range(9)]
        assert statuses == [401] * 2 + [429] * 7
        assert [(await other.post("/v1/sessions", json=UNPROVED)).status_code for _ in range(2)] == [401] * 2


async def test_a_limit_that_is_none_is_neither_kept_nor_told(database, valkey, redis):
    limits = {"limit_sign_in_by_address": "none", "limit_sign_in_by_account": "none"}
    async with limited_site(database, valkey, **limits) as site:
        answers = [await site.post("/v1/sessions", UNPROVED) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {401}
    assert "ratelimit-policy" not in answers[0].headers


@pytest.mark.parametrize(
    ("limit", "path", "body"),
    [
        ("registration", "/v1/users", {"email": "{number}@example.com", "password": PASSWORD}),
        ("registration", "/v1/administrators", {"token": "no", "email": "{number}@example.com", "password": PASSWORD}),
        ("reset", "/v1/password/reset", {"email": "{number}@example.com"}),
        ("reset", "/v1/password/reset/complete", {"token": "no", "password": PASSWORD}),
        ("verification", "/v1/users/0190b0a6-ad31-7000-8000-61646d696e73/email/verify", {"token": "no"}),
        ("refresh", "/v1/sessions/refresh", {"refresh_token": "no"}),
    ],
)
async def test_what_anyone_may_ask_is_limited_by_client_address(database, valkey, redis, limit, path, body):
    async with limited_site(database, valkey, **{f"limit_{limit}_by_address": "2 per hour"}) as site:
        statuses = []
        for number in range(3):
            asked = {name: value.format(number=number) for name, value in body.items()}
            statuses.append((await site.post(path, asked)).status_code)
    assert 429 not in statuses[:2]
    assert statuses[2] == 429


async def test_whoever_is_signed_in_is_limited_by_what_they_are_and_told_what_is_left(database, valkey, redis):
    limits = {"limit_commands_by_account": "3 per minute", "limit_registration_by_address": "1 per hour"}
    async with limited_site(database, valkey, **limits) as site:
        body = {"token": site.sign_up_token, "email": "root@example.com", "password": PASSWORD}
        assert (await site.post("/v1/administrators", body)).status_code == 201
        administrator = await site.signed_in("root@example.com")
        adding = {"email": site.new_email(), "password": PASSWORD}
        added = await site.post("/v1/users", adding, administrator)
        assert added.status_code != 429, "it is no registration by anyone"
        nowhere = f"/v1/sessions/{uuid4()}"
        answers = [added, *[await site.request("DELETE", nowhere, administrator) for _ in range(3)]]
        assert [answer.status_code for answer in answers[1:]] == [404, 404, 429]
        assert [answer.headers["ratelimit"].split(";t=")[0] for answer in answers] == [
            f'"commands-by-account";r={left}' for left in (2, 1, 0, 0)
        ]
        assert (await site.get("/v1/users", administrator)).status_code != 429, "a question is no command"
