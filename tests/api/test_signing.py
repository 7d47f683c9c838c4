"""Rotation of the keys that sign access tokens, seen by two API processes on one database."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commands.signing_key_rotation import Rotated, announce_signing_key, rotate_signing_key
from events.connections import connect
from tests.api.site import Person, Site, in_one_task, served
from tests.support import Database, until


class Pair:
    """Two API processes on one database, and the operator who rotates their keys."""

    def __init__(self, one: Site, other: Site, owner: Any) -> None:
        self.both = (one, other)
        self.one, self.other = self.both
        self.owner = owner

    async def rotated(self, *, revoke: bool = False) -> Rotated:
        asked_at = await self.owner.fetchval("SELECT clock_timestamp()")
        return await rotate_signing_key(self.owner, self.one.database.master, asked_at=asked_at, revoke=revoke)

    async def published(self, *key_ids: str) -> None:
        """Come back when both tell these keys and no others."""
        for site in self.both:
            await until(partial(_tells, site, key_ids), 2)


async def _tells(site: Site, key_ids: Iterable[str]) -> bool:
    return await keys_of(site) == set(key_ids)


async def keys_of(site: Site) -> set[str]:
    answer = await site.get("/.well-known/jwks.json")
    return {key["kid"] for key in answer.json()["keys"]}


def kid(person: Person) -> str:
    return str(jwt.get_unverified_header(person.tokens["access_token"])["kid"])


async def status(site: Site, person: Person) -> int:
    """What a process says of a person's token, where no view is asked."""
    return (await site.get(f"/v1/users/{person.id}/sessions", person)).status_code


TAKEN, REFUSED = 200, 401


@pytest.fixture
async def pair(database: Database) -> AsyncIterator[Pair]:
    async with in_one_task(served(database)) as one, in_one_task(served(database)) as other:
        owner = await connect(database.owner_url, "tests")
        yield Pair(one, other, owner)
        await owner.close()


async def test_tokens_of_before_go_on_and_new_ones_are_by_the_new_key_in_every_process(pair: Pair):
    old = await pair.one.person()
    rotated = await pair.rotated()
    await pair.published(kid(old), rotated.key_id)
    for site in pair.both:
        assert await status(site, old) == TAKEN
        site.app.process.gate.forget()
        assert await status(site, old) == TAKEN, "also when it is verified anew"
        new = await site.signed_in(old.email)
        assert kid(new) == rotated.key_id
        assert [await status(each, new) for each in pair.both] == [TAKEN, TAKEN]


async def test_an_old_key_is_told_no_more_when_its_last_token_has_expired(pair: Pair):
    old = await pair.one.person()
    rotated = await pair.rotated()
    await pair.published(kid(old), rotated.key_id)
    for site in pair.both:
        site.app.process.signing.clock = lambda: datetime.now(UTC) + timedelta(minutes=16)
    await pair.published(rotated.key_id)
    new = await pair.other.signed_in(old.email)
    assert kid(new) == rotated.key_id


async def test_a_token_by_a_key_that_a_process_has_not_heard_of_is_looked_up_and_taken(pair: Pair):
    person = await pair.one.person()
    deaf = pair.other.app.process
    await deaf.signing.stop()
    for _ in range(3):
        rotated = await pair.rotated()
        await until(partial(signs, pair.one, rotated.key_id), 2)
        new = await pair.one.signed_in(person.email)
        assert rotated.key_id not in {key.key_id for key in deaf.tokens.keys}
        assert await status(pair.other, new) == TAKEN


async def signs(site: Site, key_id: str) -> bool:
    await site.app.process.signing.learn()
    return site.app.process.tokens.keys[-1].key_id == key_id


async def test_strangers_who_make_up_keys_keep_nobody_from_learning_a_new_one(pair: Pair):
    person = await pair.one.person()
    await pair.other.app.process.signing.stop()
    stranger = Ed25519PrivateKey.generate()
    claims = jwt.decode(person.tokens["access_token"], options={"verify_signature": False})
    forged = [
        Person(
            person.id, "", {"access_token": jwt.encode(claims, stranger, "EdDSA", {"typ": "at+jwt", "kid": f"k{n}"})}
        )
        for n in range(50)
    ]
    assert {*await asyncio.gather(*(status(pair.other, each) for each in forged))} == {REFUSED}
    rotated = await pair.rotated()
    await until(partial(signs, pair.one, rotated.key_id), 2)
    new = await pair.one.signed_in(person.email)
    assert kid(new) == rotated.key_id
    answers = await asyncio.gather(*(status(pair.other, each) for each in [*forged[:25], new, *forged[25:]]))
    assert answers == [REFUSED] * 25 + [TAKEN] + [REFUSED] * 25


async def test_a_revoked_key_verifies_nowhere_and_sessions_go_on(pair: Pair):
    old = await pair.one.person()
    assert [await status(site, old) for site in pair.both] == [TAKEN, TAKEN]
    rotated = await pair.rotated(revoke=True)
    await pair.published(rotated.key_id)
    assert [await status(site, old) for site in pair.both] == [REFUSED, REFUSED]
    refreshed = await pair.other.post("/v1/sessions/refresh", {"refresh_token": old.tokens["refresh_token"]})
    assert refreshed.status_code == 200
    new = Person(old.id, old.email, refreshed.json())
    assert kid(new) == rotated.key_id
    assert [await status(site, new) for site in pair.both] == [TAKEN, TAKEN]


async def test_an_announced_key_is_told_before_it_signs(pair: Pair):
    old = await pair.one.person()
    announced = await announce_signing_key(pair.owner, pair.one.database.master)
    await pair.published(kid(old), announced)
    assert kid(await pair.other.signed_in(old.email)) == kid(old)
    assert (await pair.rotated()).key_id == announced


async def test_a_process_learns_of_a_change_that_was_not_announced(pair: Pair):
    old = await pair.one.person()
    await pair.owner.execute("UPDATE signing_keys SET retired_at = now(), wrapped = NULL")
    await until(partial(cannot_sign, pair.other), 5)
    assert await status(pair.other, old) == TAKEN
    assert "There is no key that signs access tokens" in (await pair.other.get("/readyz")).text


async def cannot_sign(site: Site) -> bool:
    return not site.app.process.tokens.can_sign


async def test_the_key_set_may_be_kept_for_a_minute(pair: Pair):
    answer = await pair.one.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=60"
