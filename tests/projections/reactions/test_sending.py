"""Given an event twice, then one mail; and a mail server that does what mail servers do."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from events.user import (
    AddressRegisteredAgain,
    DisplayNameChanged,
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    EmailVerified,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    RegistrationSuperseded,
    UserLocked,
    UserRegistered,
    VerificationRequested,
)
from projections.reactions import smtp
from projections.reactions.deliveries import begin_attempt, hold
from projections.reactions.sending import BACKOFF_SECONDS
from tests.support import until

registered = UserRegistered("ada@example.com", "evil@x.example,")
BEYOND_JITTER = 1.25


async def test_an_event_seen_twice_makes_one_mail(log, post, mail):
    await log.add(uuid7(), registered)
    await post.react()
    await post.rewind()
    await post.react()
    await post.sending.run()
    await post.rewind()
    await post.react()
    await post.sending.run()
    assert mail.recipients == ["ada@example.com"]
    assert await post.deliveries() == [("verification", "sent", 1)]


async def test_each_event_that_calls_for_a_mail_is_answered(log, post, mail):
    ada, old, new = uuid7(), "ada@example.com", "countess@example.org"
    for event, slot, address in [
        (registered, "verification", old),
        (VerificationRequested(), "verification", old),
        (EmailVerified(), None, None),
        (DisplayNameChanged("Ada"), None, None),
        (AddressRegisteredAgain(), "registered-again", old),
        (PasswordChanged(), "password-changed", old),
        (EmailChangeRequested(new), "email-change", new),
        (EmailChanged(new), "email-changed", old),
        (PasswordResetRequested(), "password-reset", new),
        (PasswordReset(), "password-changed", new),
        (UserLocked(datetime.now(UTC) + timedelta(minutes=15)), "locked", new),
        (EmailChangeUndone(old), "email-change-undone", old),
    ]:
        before = len(mail.recipients)
        await log.add(ada, event)
        await post.react()
        await post.sending.run()
        assert mail.recipients[before:] == ([address] if address else [])
        if slot:
            assert (await post.deliveries())[-1] == (slot, "sent", 1)
    assert len(set(mail.ids)) == len(mail.ids) == 10


@pytest.mark.parametrize("then", [EmailVerified(), RegistrationSuperseded(uuid7()), VerificationRequested()])
async def test_what_happens_before_it_is_sent_may_make_it_obsolete(log, post, mail, then):
    ada = uuid7()
    await log.add(ada, registered)
    await post.react()
    await log.add(ada, then)
    await post.sending.run()
    assert mail.taken == []
    assert await post.deliveries() == [("verification", "obsolete", 1)]


async def test_nobody_writes_to_someone_whose_key_is_gone(log, post, mail):
    ada = uuid7()
    await log.add(ada, registered)
    await post.react()
    await log.forget(ada)
    await post.sending.run()
    assert (mail.taken, (await post.deliveries())[0][1]) == ([], "obsolete")


async def test_a_link_that_has_expired_is_not_sent(log, post, mail):
    await log.add(uuid7(), registered)
    await post.react()
    await post.after(73 * 3600)
    assert (mail.taken, (await post.deliveries())[0][1]) == ([], "obsolete")


@pytest.mark.parametrize("answer", ["451 4.7.1 <ada@example.com> greylisted", "550 5.1.1 <ada@example.com> unknown"])
async def test_what_is_refused_is_sent_later(log, post, mail, answer):
    mail.answers = [answer, answer]
    await log.add(uuid7(), registered)
    await post.react()
    await post.after(0)
    assert await post.deliveries() == [("verification", "waiting", 1)]
    assert await post.causes() == [f"The mail server answered {answer[:9]}."]
    await post.after(BACKOFF_SECONDS[0] / 2)
    assert mail.attempts == 1, "it waits before it tries again"
    await post.after(BACKOFF_SECONDS[0])
    await post.after(BACKOFF_SECONDS[1] * BEYOND_JITTER)
    assert (len(mail.taken), await post.deliveries()) == (1, [("verification", "sent", 3)])


async def test_gives_up_after_hours_and_sends_it_when_told_to_after_all(log, post, mail):
    mail.answers = ["452 4.2.2 full"] * 100
    await log.add(uuid7(), registered)
    await post.react()
    for seconds in (0, *BACKOFF_SECONDS):
        assert await post.deliveries() != [("verification", "dead", 8)]
        await post.after(seconds * BEYOND_JITTER)
    assert await post.deliveries() == [("verification", "dead", 8)]
    assert await post.causes() == ["The mail server answered 452 4.2.2."]
    assert 3600 < sum(BACKOFF_SECONDS) < 72 * 3600
    mail.answers = []
    await post.after(3600)
    assert mail.taken == []
    (delivery,) = await post.pool.fetch("SELECT id FROM deliveries")
    redriven = [await post.pool.fetch("SELECT redrive_deliveries($1)", [one]) for one in (uuid7(), delivery["id"])]
    assert [len(rows) for rows in redriven] == [0, 1]
    post.now = None
    await post.sending.run()
    assert (len(mail.taken), await post.deliveries()) == (1, [("verification", "sent", 1)])


async def test_while_no_server_answers_nothing_is_tried_and_then_everything_is_sent(log, post, mail):
    for number in range(20):
        await log.add(uuid7(), UserRegistered(f"u{number}@example.com"))
    await post.react()
    await mail.stop()
    for _ in range(20):
        await post.sending.run()
    assert await post.deliveries() == [("verification", "waiting", 0)] * 20
    await mail.start()
    await post.sending.run()
    assert sorted(mail.recipients) == sorted(f"u{number}@example.com" for number in range(20))
    assert mail.connections <= 4, "connections are used for many mails"


@pytest.mark.parametrize("manner", ["hang up", "silent"])
async def test_a_server_that_does_not_greet_is_away(log, post, mail, monkeypatch, manner):
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", 0.1)
    await log.add(uuid7(), registered)
    await post.react()
    mail.manner = manner
    await post.sending.run()
    assert await post.deliveries() == [("verification", "waiting", 0)]
    mail.manner = "well"
    await post.sending.run()
    assert await post.deliveries() == [("verification", "sent", 1)]


async def test_a_server_that_does_not_answer_is_tried_again_later(log, post, mail, monkeypatch):
    monkeypatch.setattr(smtp, "ATTEMPT_SECONDS", 0.1)
    await log.add(uuid7(), registered)
    await post.react()
    mail.manner = "drag"
    await post.after(0)
    assert await post.causes() == ["The mail server did not answer in time."]
    mail.manner = "well"
    await post.after(BACKOFF_SECONDS[0] * BEYOND_JITTER)
    assert (len(mail.taken), await post.deliveries()) == (1, [("verification", "sent", 2)])


async def test_a_mail_whose_answer_was_lost_is_sent_again_under_the_same_id(log, post, mail):
    await log.add(uuid7(), registered)
    await post.react()
    mail.manner = "drop"
    await post.after(0)
    mail.manner = "well"
    await post.after(BACKOFF_SECONDS[0] * BEYOND_JITTER)
    assert len(mail.ids) == 2
    assert len(set(mail.ids)) == 1
    assert await post.deliveries() == [("verification", "sent", 2)]


async def test_one_mail_that_cannot_be_written_hinders_no_other(log, post, mail):
    await log.add(uuid7(), UserRegistered("not an address"))
    await log.add(uuid7(), registered)
    broken = uuid7()
    await log.add(broken, registered)
    await log.add_raw(broken, "UserBeatified", b"{}")
    await post.react()
    await post.sending.run()
    assert mail.recipients == ["ada@example.com"]
    assert [status for _, status, _ in await post.deliveries()] == ["waiting", "sent", "waiting"]
    assert "address" not in str(await post.causes())


async def test_many_who_send_at_once_send_each_mail_once(log, post, mail):
    for number in range(60):
        await log.add(uuid7(), UserRegistered(f"u{number}@example.com"))
    await post.react()
    await asyncio.gather(*(post.another(mail).run() for _ in range(2)))
    assert len(mail.ids) == len(set(mail.ids)) == 60
    assert set(await post.deliveries()) == {("verification", "sent", 1)}


async def test_whoever_looks_for_the_next_one_takes_no_attempt_away(log, post, mail, connection):
    """They lock what they find due, also where another has begun with it meanwhile, and let go of it."""
    await log.add(uuid7(), registered)
    await post.react()
    delivery = await begin_attempt(connection)
    assert delivery
    async with post.pool.acquire() as looking, connection.transaction():
        transaction = looking.transaction()
        await transaction.start()
        await looking.execute("SELECT FROM deliveries FOR UPDATE")
        holding = asyncio.create_task(hold(connection, delivery))
        await until(lambda: post.database.query("SELECT FROM pg_locks WHERE NOT granted"))
        await transaction.rollback()
        assert await holding


async def test_an_attempt_that_was_cut_off_is_told_and_made_again(log, post, mail):
    await log.add(uuid7(), registered)
    await post.react()
    connection = await post.pool.acquire()
    delivery = await begin_attempt(connection)
    assert delivery
    transaction = connection.transaction()
    await transaction.start()
    assert await hold(connection, delivery)
    await post.after(60)
    assert mail.taken == [], "it is being attempted"
    connection.terminate()
    await post.pool.release(connection)
    assert (await post.causes())[0].startswith("The attempt was interrupted")

    async def sent():
        await post.after(60)
        return mail.taken

    await until(sent)
    assert await post.deliveries() == [("verification", "sent", 2)]


async def test_nothing_personal_lies_with_what_is_owed(log, post, mail):
    mail.answers = ["550 5.1.1 <hypatia@example.com>: hypatia@example.com unknown"]
    await log.add(uuid7(), UserRegistered("hypatia@example.com"))
    await post.react()
    await post.after(0)
    rows = await post.database.query("SELECT row_to_json(d)::text AS text FROM deliveries d")
    assert "hypatia" not in rows[0]["text"]
