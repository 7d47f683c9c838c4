"""Commands on a real store: what is read, decided and appended, also when others are faster."""

import asyncio
from datetime import timedelta

import pytest

from commands.change_display_name import ChangeDisplayName
from commands.end_session import EndSession
from commands.errors import (
    AddressTaken,
    InvalidCredentials,
    InvalidRefreshToken,
    LastAdministrator,
    LinkSpent,
    NoSuchUser,
    Refused,
)
from commands.first_administrator import InviteFirstAdministrator, SignUpFirstAdministrator
from commands.grant_role import GrantRole, RevokeRole
from commands.handler import Client, Context
from commands.refresh_session import RefreshSession
from commands.register_user import RegisterUser
from commands.sign_in import SignIn
from commands.verify_email import VerifyEmail
from events.codec import open_note, read_metadata
from events.event import Actor
from events.store import read_log, read_stream
from events.user import DisplayNameChanged
from tests.muster import PASSWORD, context


async def test_a_person_registers_proves_the_address_and_signs_in(muster):
    user_id = await muster.registered()
    signed_in = await muster.ask(SignIn("ADA@example.com", PASSWORD))
    assert signed_in.user_id == user_id
    assert await muster.topics() == ["UserRegistered", "EmailVerified", "SessionStarted"]


async def test_nobody_signs_in_with_the_wrong_password_or_address(muster):
    await muster.registered()
    for email, password in (("ada@example.com", "wrong horse battery"), ("bob@example.com", PASSWORD), ("ada", "x")):
        with pytest.raises(InvalidCredentials):
            await muster.ask(SignIn(email, password))


async def test_an_unproved_account_is_mailed_the_link_again_and_not_let_in(muster):
    user_id = (await muster.ask(RegisterUser("ada@example.com", PASSWORD))).user_id
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("ada@example.com", PASSWORD))
    assert await muster.topics() == ["UserRegistered", "VerificationRequested"]
    with pytest.raises(LinkSpent):
        await muster.ask(VerifyEmail(user_id, muster.link(user_id, 1)))
    await muster.ask(VerifyEmail(user_id, muster.link(user_id, 2)))
    await muster.ask(SignIn("ada@example.com", PASSWORD))


async def test_fifty_registrations_at_once_leave_one_account(muster):
    answers = await asyncio.gather(*(muster.ask(RegisterUser("ada@example.com", PASSWORD)) for _ in range(50)))
    proofs = await asyncio.gather(
        *(muster.ask(VerifyEmail(answer.user_id, muster.link(answer.user_id))) for answer in answers),
        return_exceptions=True,
    )
    assert sum(proof is None for proof in proofs) == 1
    assert sum(isinstance(proof, LinkSpent) for proof in proofs) == 49
    signed_in = await muster.ask(SignIn("ada@example.com", PASSWORD))
    assert signed_in.user_id == answers[[proof is None for proof in proofs].index(True)].user_id
    assert len(await muster.database.query("SELECT FROM secrets WHERE kind = 'password'")) == 1
    assert len(await muster.database.query("SELECT FROM claims")) == 1


async def test_a_later_registration_takes_an_unproved_address_and_its_password(muster):
    first = (await muster.ask(RegisterUser("ada@example.com", "a squatter's password"))).user_id
    second = await muster.registered()
    assert (await muster.ask(SignIn("ada@example.com", PASSWORD))).user_id == second
    with pytest.raises(InvalidCredentials):
        await muster.ask(SignIn("ada@example.com", "a squatter's password"))
    with pytest.raises(LinkSpent):
        await muster.ask(VerifyEmail(first, muster.link(first)))


async def test_registering_a_proved_address_tells_its_owner_and_nobody_else(muster):
    user_id = await muster.registered()
    stranger = (await muster.ask(RegisterUser("ada@example.com", "a stranger's password"))).user_id
    assert stranger != user_id
    assert await read_stream(muster.pool, muster.database.keys, stranger) == []
    assert (await muster.topics())[-1] == "AddressRegisteredAgain"
    with pytest.raises(AddressTaken):
        await muster.ask(RegisterUser("ada@example.com", "a stranger's password", disclose=True))


async def test_a_link_used_twenty_times_at_once_proves_once(muster):
    user_id = (await muster.ask(RegisterUser("ada@example.com", PASSWORD))).user_id
    uses = [muster.ask(VerifyEmail(user_id, muster.link(user_id))) for _ in range(20)]
    answers = await asyncio.gather(*uses, return_exceptions=True)
    assert sum(answer is None for answer in answers) == 1
    assert (await muster.topics()).count("EmailVerified") == 1


async def test_one_refresh_token_used_twenty_times_at_once_has_one_successor(muster):
    await muster.registered()
    token = (await muster.ask(SignIn("ada@example.com", PASSWORD))).refresh_token
    answers = await asyncio.gather(*(muster.ask(RefreshSession(token)) for _ in range(20)))
    assert len({answer.refresh_token for answer in answers}) == 1
    assert answers[0].refresh_token != token


async def test_a_spent_refresh_token_used_later_ends_the_session(muster):
    await muster.registered()
    signed_in = await muster.ask(SignIn("ada@example.com", PASSWORD))
    successor = (await muster.ask(RefreshSession(signed_in.refresh_token))).refresh_token
    muster.now += timedelta(minutes=1)
    for token in (signed_in.refresh_token, successor):
        with pytest.raises(InvalidRefreshToken):
            await muster.ask(RefreshSession(token))
    assert (await muster.topics())[-1] == "RefreshTokenReused"


async def test_a_session_that_was_ended_is_not_refreshed(muster):
    user_id = await muster.registered()
    signed_in = await muster.ask(SignIn("ada@example.com", PASSWORD))
    await muster.ask(EndSession(signed_in.session_id, user_id))
    await muster.ask(EndSession(signed_in.session_id, user_id))
    with pytest.raises(InvalidRefreshToken):
        await muster.ask(RefreshSession(signed_in.refresh_token))
    assert (await muster.topics()).count("SessionEnded") == 1


async def test_the_first_administrator_signs_up_exactly_once(muster):
    token = await muster.ask(InviteFirstAdministrator())
    assert await muster.ask(InviteFirstAdministrator()) == token
    asked = [
        muster.ask(SignUpFirstAdministrator(token, f"admin{number}@example.com", PASSWORD)) for number in range(10)
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert sum(isinstance(answer, LinkSpent) for answer in answers) == 9
    assert await muster.ask(InviteFirstAdministrator()) is None
    winner = next(number for number, answer in enumerate(answers) if not isinstance(answer, Exception))
    signed_in = await muster.ask(SignIn(f"admin{winner}@example.com", PASSWORD))
    assert signed_in.roles == {"administrator"}


async def test_two_administrators_who_revoke_each_other_leave_one(muster):
    token = await muster.ask(InviteFirstAdministrator())
    ada = (await muster.ask(SignUpFirstAdministrator(token, "ada@example.com", PASSWORD))).user_id
    bob = await muster.registered("bob@example.com")
    await muster.ask(GrantRole(bob, "administrator"))
    answers = await asyncio.gather(
        muster.ask(RevokeRole(bob, "administrator")),
        muster.ask(RevokeRole(ada, "administrator")),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, LastAdministrator) for answer in answers) == 1


async def test_every_event_says_by_whom_why_and_whence(muster):
    user_id = await muster.registered()
    by = Actor("user", user_id)
    asked = Context(by, reason="she married", client=Client("192.0.2.1", "curl/8"))
    outcome = await muster.handler.handle(ChangeDisplayName(user_id, "Ada King"), asked)
    recorded = (await read_log(muster.pool, muster.database.keys, after=0, limit=10))[-1]
    metadata = read_metadata(recorded.metadata)
    key = await muster.database.keys.key_of(muster.pool, user_id)
    month = await muster.database.keys.client_key(muster.pool, metadata.client_month)
    assert (metadata.actor, metadata.command) == (by, "ChangeDisplayName")
    assert open_note(metadata.sealed, "reason", recorded, key) == "she married"
    assert open_note(metadata.client, "client", recorded, month) == {"address": "192.0.2.1", "user_agent": "curl/8"}
    assert outcome.position == recorded.position
    assert outcome.version == recorded.version
    assert "she married" not in recorded.metadata
    assert "192.0.2.1" not in recorded.metadata


async def test_what_changed_nothing_answers_with_the_position_it_read_at(muster):
    user_id = await muster.registered()
    first = await muster.handler.handle(ChangeDisplayName(user_id, "Ada"), context)
    again = await muster.handler.handle(ChangeDisplayName(user_id, "Ada"), context)
    assert (again.position, again.version, again.events) == (first.position, first.version, [])


async def test_nothing_personal_is_readable_on_disk(muster):
    await muster.registered("hypatia@example.com")  # a name too long to come about by chance
    rows = await muster.database.query(
        "SELECT convert_from(state, 'utf8') || metadata::text AS text FROM stored_events "
        "UNION ALL SELECT encode(key, 'escape') FROM claims UNION ALL SELECT encode(sealed, 'escape') FROM secrets"
    )
    for row in rows:
        assert "hypatia" not in row["text"].lower()
        assert "argon2" not in row["text"]


async def test_commands_that_race_for_one_user_are_all_taken_in_some_order(muster):
    user_id = await muster.registered()
    names = [f"Ada {number}" for number in range(20)]
    await asyncio.gather(*(muster.ask(ChangeDisplayName(user_id, name)) for name in names))
    recorded = (await read_stream(muster.pool, muster.database.keys, user_id))[2:]
    assert {r.event for r in recorded} == {DisplayNameChanged(name) for name in names}
    assert [r.version for r in recorded] == list(range(3, 23))


async def test_a_stranger_is_nobody(muster):
    user_id = await muster.registered()
    wrong = type(user_id)(int=user_id.int ^ 1)
    with pytest.raises(NoSuchUser):
        await muster.ask(ChangeDisplayName(wrong, "Ada"))
    with pytest.raises(Refused):
        await muster.ask(VerifyEmail(wrong, muster.link(user_id)))
