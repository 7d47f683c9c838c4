"""Idempotency-Key: one effect and one answer, however often and however unluckily it is asked."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from commands.change_display_name import ChangeDisplayName
from commands.errors import InvalidCredentials
from commands.handler import Context
from commands.receipts import IdempotencyKeyReused, InFlight, RequestInProgress, idempotent_request
from commands.register_user import RegisterUser
from commands.sign_in import SignIn
from commands.verify_email import VerifyEmail
from events.event import ANONYMOUS, Actor
from tests.muster import PASSWORD, context

SECRET = b"secret"


def keyed(chosen="key", request=b"body", caller=None, route="POST /v1/users"):
    """A context with an Idempotency-Key."""
    actor = ANONYMOUS if caller is None else Actor("user", caller)
    return Context(actor, idempotent=idempotent_request(SECRET, caller, route, chosen, request))


async def test_the_same_request_gets_the_first_answer_again(muster):
    ask = RegisterUser("ada@example.com", PASSWORD)
    first = await muster.handler.handle(ask, keyed())
    again = await muster.handler.handle(ask, keyed())
    assert again == replace(first, written=(), first_position=0, replayed=True)
    assert await muster.topics() == ["UserRegistered"]


async def test_a_sign_in_is_answered_again_with_the_same_tokens(muster):
    await muster.registered()
    first = await muster.handler.handle(SignIn("ada@example.com", PASSWORD), keyed())
    again = await muster.handler.handle(SignIn("ada@example.com", PASSWORD), keyed())
    assert (again.result, again.command_id, again.asked_at) == (first.result, first.command_id, first.asked_at)


async def test_twenty_at_once_have_one_effect_and_one_answer(muster):
    ask = RegisterUser("ada@example.com", PASSWORD)
    answers = await asyncio.gather(*(muster.handler.handle(ask, keyed()) for _ in range(20)))
    assert len({(answer.result.user_id, answer.position) for answer in answers}) == 1
    assert await muster.topics() == ["UserRegistered"]


async def test_two_processes_at_once_have_one_effect_and_one_answer(muster):
    user_id = await muster.registered()
    other = type(muster)(muster.database, muster.pool, muster.handler._committer, muster.handler._hasher)
    asked = [one.handler.handle(ChangeDisplayName(user_id, "Ada"), keyed(caller=user_id)) for one in (muster, other)]
    first, second = await asyncio.gather(*asked)
    assert first.position == second.position
    assert (await muster.topics()).count("DisplayNameChanged") == 1


@pytest.mark.parametrize("late", ["before it reads", "before it appends"])
async def test_what_can_be_done_once_only_is_answered_again_to_another_process(muster, late):
    """The other one looked for a receipt before there was one, and then finds the link spent, or loses the race."""
    user_id = (await muster.ask(RegisterUser("ada@example.com", PASSWORD))).user_id
    ask = VerifyEmail(user_id, muster.link(user_id))
    other = type(muster)(muster.database, muster.pool, muster.handler._committer, muster.handler._hasher)
    first: list[Any] = []
    name = "_replayed" if late == "before it reads" else "_append"
    then = getattr(other.handler, name)

    async def after_the_first(*arguments):
        looked = await then(*arguments) if name == "_replayed" else None
        if not first:
            first.append(await muster.handler.handle(ask, keyed()))
        return looked if name == "_replayed" else await then(*arguments)

    setattr(other.handler, name, after_the_first)
    second = await other.handler.handle(ask, keyed())
    assert second.replayed
    assert second.position == first[0].position
    assert (await muster.topics()).count("EmailVerified") == 1


async def test_another_request_with_the_same_key_is_refused(muster):
    user_id = await muster.registered()
    await muster.handler.handle(ChangeDisplayName(user_id, "Ada"), keyed(caller=user_id))
    with pytest.raises(IdempotencyKeyReused):
        await muster.handler.handle(ChangeDisplayName(user_id, "Bob"), keyed(caller=user_id, request=b"other"))


async def test_what_changed_nothing_is_remembered_too(muster):
    user_id = await muster.registered()
    asked = keyed(caller=user_id)
    first = await muster.handler.handle(ChangeDisplayName(user_id, None), asked)
    await muster.handler.handle(ChangeDisplayName(user_id, "Ada"), context)
    again = await muster.handler.handle(ChangeDisplayName(user_id, None), asked)
    assert again.position == first.position
    assert (await muster.topics()).count("DisplayNameChanged") == 1


async def test_refusals_are_decided_anew(muster):
    ask = SignIn("ada@example.com", PASSWORD)
    with pytest.raises(InvalidCredentials):
        await muster.handler.handle(ask, keyed())
    await muster.registered()
    assert (await muster.handler.handle(ask, keyed())).result.refresh_token


async def test_a_strangers_key_tells_nothing(muster):
    first = await muster.handler.handle(RegisterUser("ada@example.com", PASSWORD), keyed(request=b"ada"))
    other = await muster.handler.handle(RegisterUser("bob@example.com", PASSWORD), keyed(request=b"bob"))
    assert not other.replayed
    assert other.result != first.result


async def test_a_receipt_expires_and_is_swept(muster):
    ask = RegisterUser("ada@example.com", PASSWORD)
    first = await muster.handler.handle(ask, keyed())
    await muster.database.query("UPDATE receipts SET expires_at = now() - interval '1 second'")
    again = await muster.handler.handle(ask, keyed())
    assert again.result != first.result
    await muster.database.query("UPDATE receipts SET expires_at = now() - interval '1 second'")
    swept = await muster.database.query("SELECT prune_receipts(100)")
    assert swept[0][0] == 1
    assert await muster.database.query("SELECT FROM receipts") == []


async def test_nothing_in_the_table_tells_what_was_answered(muster):
    await muster.handler.handle(RegisterUser("hypatia@example.com", PASSWORD), keyed("the client's key"))
    [row] = await muster.database.query("SELECT * FROM receipts")
    assert b"hypatia" not in row["sealed"]
    assert b"client" not in row["key"]


async def test_positions_in_receipts_hold_when_neighbours_are_refused(muster):
    """Receipts know their position before it is known which commands of the batch are refused."""
    people = [await muster.registered(f"user{number}@example.com") for number in range(10)]
    stale = [muster.handler.handle(ChangeDisplayName(people[0], f"Name {number}"), context) for number in range(9)]
    asked = [muster.handler.handle(ChangeDisplayName(person, "Ada"), keyed(caller=person)) for person in people[1:]]
    mixed = [one for pair in zip(stale, asked, strict=True) for one in pair]
    answers = await asyncio.gather(*mixed)
    kept = {row[0] for row in await muster.database.query("SELECT position FROM receipts")}
    rows = await muster.database.query(
        "SELECT notification_id FROM stored_events WHERE topic = 'DisplayNameChanged' AND subject_id = ANY($1)",
        people[1:],
    )
    assert kept == {row[0] for row in rows}
    assert kept <= {answer.position for answer in answers}


async def test_waits_for_the_first_and_then_gives_up(monkeypatch):
    in_flight = InFlight()
    monkeypatch.setattr("commands.receipts.WAIT_SECONDS", 0.01)
    async with in_flight.alone(b"key"):
        with pytest.raises(RequestInProgress):
            async with in_flight.alone(b"key"):
                pass
        async with in_flight.alone(b"other"):
            pass
    async with in_flight.alone(b"key"):
        pass
    assert in_flight._locks == {}


def test_keys_belong_to_whoever_chose_them():
    ada, bob = UUID(int=1), UUID(int=2)
    requests = [
        idempotent_request(SECRET, ada, "r", "key", b"x"),
        idempotent_request(SECRET, bob, "r", "key", b"x"),
        idempotent_request(SECRET, None, "r", "key", b"x"),
        idempotent_request(SECRET, None, "r", "key", b"y"),
        idempotent_request(SECRET, None, "s", "key", b"x"),
        idempotent_request(b"other secret", ada, "r", "key", b"x"),
    ]
    assert len({request.key for request in requests}) == len(requests)
    assert len({request.seal for request in requests}) == len(requests)
    assert idempotent_request(SECRET, ada, "r", "key", b"y").key == requests[0].key
