"""Invitations: sent by those who may, accepted once, forgotten when they end."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from commands import user as users
from commands.accept_invitation import AcceptInvitation
from commands.addresses import address
from commands.errors import (
    AddressTaken,
    InvalidAddress,
    InvalidLink,
    InvitationOver,
    LinkExpired,
    NoSuchInvitation,
    NoSuchRole,
    WeakPassword,
)
from commands.grant_role import GrantRole, RevokeRole
from commands.invitation import NO_INVITATION, fold
from commands.invite_user import InviteUser, WithdrawInvitation
from commands.lapse_invitation import LapseInvitation, invitations_past, open_invitations
from commands.links import ACCEPT_INVITATION, VERIFY_EMAIL, link_token
from commands.register_user import RegisterUser
from commands.sign_in import SignIn
from commands.suspend_user import SuspendUser
from commands.user import NOBODY
from commands.verify_email import VerifyEmail
from events.invitation import InvitationAccepted, InvitationLapsed, InvitationWithdrawn, UserInvited
from events.personal import FORGOTTEN
from events.store import read_stream
from events.user import EmailVerified, RoleGranted, UserRegistered, UserSuspended
from tests.muster import PASSWORD
from tests.support import NOON, History

ADA, BOB, HERE = UUID(int=1), UUID(int=2), UUID(int=3)
LATER = NOON + timedelta(hours=168)
INVITED = UserInvited("grace@example.com", ("auditor",), LATER, BOB, "Grace", "en")
GRACE = "grace@example.com"
PROVED = (UserRegistered(GRACE), EmailVerified())


def invitation_of(*more):
    return fold(History("invitation", HERE).of(INVITED, *more))


def user_of(*events):
    return users.fold(History(stream_id=BOB).of(*events))


RULER = user_of(*PROVED, RoleGranted("administrator"))


class TestInviting:
    def test_says_whom_what_for_and_until_when(self):
        asked = InviteUser(GRACE, BOB, ("auditor", "auditor"), " Grace ", "en")
        assert asked.decide(NOBODY, address(GRACE), NOON, 168) == [INVITED]
        (sooner,) = InviteUser(GRACE, None, hours=2).decide(NOBODY, address(GRACE), NOON, 168)
        assert sooner == UserInvited(GRACE, (), NOON + timedelta(hours=2))

    def test_refuses_an_address_that_is_proved_to_be_somebodys_and_no_other(self):
        asked = InviteUser(GRACE, BOB)
        with pytest.raises(AddressTaken):
            asked.decide(user_of(*PROVED), address(GRACE), NOON, 168)
        assert asked.decide(user_of(PROVED[0]), address(GRACE), NOON, 168)

    def test_refuses_roles_that_there_are_not(self):
        with pytest.raises(NoSuchRole):
            InviteUser(GRACE, BOB, ("king",)).decide(NOBODY, address(GRACE), NOON, 168)


class TestAccepting:
    command = AcceptInvitation("", PASSWORD)

    def test_makes_a_user_whose_address_is_proved_and_who_has_the_roles(self):
        made = self.command.decide(invitation_of(), RULER, NOBODY, NOON)
        assert made == [UserRegistered(GRACE, "Grace", "en"), EmailVerified(), RoleGranted("auditor")]

    def test_takes_the_name_that_whoever_accepts_prefers(self):
        named = AcceptInvitation("", PASSWORD, "Amazing Grace")
        assert named.decide(invitation_of(), None, NOBODY, NOON)[0] == UserRegistered(GRACE, "Amazing Grace", "en")

    @pytest.mark.parametrize("since", [(InvitationAccepted(ADA),), (InvitationWithdrawn(),), (InvitationLapsed(),)])
    def test_is_refused_once_it_has_ended(self, since):
        with pytest.raises(InvitationOver):
            self.command.decide(invitation_of(*since), RULER, NOBODY, NOON)

    def test_is_refused_when_it_is_too_late(self):
        assert self.command.decide(invitation_of(), RULER, NOBODY, LATER - timedelta(seconds=1))
        with pytest.raises(InvitationOver):
            self.command.decide(invitation_of(), RULER, NOBODY, LATER)

    @pytest.mark.parametrize(
        "inviter",
        [
            NOBODY,
            user_of(*PROVED),
            user_of(*PROVED, RoleGranted("auditor")),
            user_of(*PROVED, RoleGranted("administrator"), UserSuspended()),
        ],
    )
    def test_is_refused_when_whoever_sent_it_may_not_invite_any_more(self, inviter):
        with pytest.raises(InvitationOver):
            self.command.decide(invitation_of(), inviter, NOBODY, NOON)

    def test_is_refused_when_the_address_has_become_somebodys(self):
        with pytest.raises(AddressTaken):
            self.command.decide(invitation_of(), RULER, user_of(*PROVED), NOON)


class TestEnding:
    def test_withdrawing_twice_is_done_once(self):
        command = WithdrawInvitation(HERE)
        assert command.decide(invitation_of()) == [InvitationWithdrawn()]
        assert command.decide(invitation_of(InvitationWithdrawn())) == []
        assert command.decide(invitation_of(InvitationLapsed())) == []

    def test_what_was_accepted_or_never_was_is_not_withdrawn(self):
        with pytest.raises(InvitationOver):
            WithdrawInvitation(HERE).decide(invitation_of(InvitationAccepted(ADA)))
        with pytest.raises(NoSuchInvitation):
            WithdrawInvitation(HERE).decide(NO_INVITATION)

    def test_lapses_when_its_time_is_over_and_once(self):
        command = LapseInvitation(HERE)
        assert command.decide(invitation_of(), LATER - timedelta(seconds=1)) == []
        assert command.decide(invitation_of(), LATER) == [InvitationLapsed()]
        assert command.decide(invitation_of(InvitationLapsed()), LATER) == []
        assert command.decide(NO_INVITATION, LATER) == []

    def test_reads_alike_whether_or_not_it_was_forgotten(self):
        forgotten = UserInvited(FORGOTTEN, ("auditor",), LATER, BOB, FORGOTTEN, FORGOTTEN)
        ended = fold(History("invitation", HERE).of(forgotten, InvitationLapsed()))
        assert (ended.open, ended.expires_at) == (False, LATER)
        with pytest.raises(InvitationOver):
            AcceptInvitation("", PASSWORD).decide(ended, RULER, NOBODY, NOON)


async def ruler(muster):
    user_id = await muster.registered("ruler@example.com")
    await muster.ask(GrantRole(user_id, "administrator"))
    return user_id


def token(muster, invitation_id, version=1, purpose=ACCEPT_INVITATION, hours=168):
    return link_token(b"links", purpose, invitation_id, version, muster.now + timedelta(hours=hours))


async def invited(muster, email=GRACE, by=None, **more):
    return (await muster.ask(InviteUser(email, by, **more))).invitation_id


async def keys_kept(muster):
    rows = await muster.database.query("SELECT subject_id FROM data_keys WHERE wrapped IS NOT NULL")
    return {row["subject_id"] for row in rows}


async def test_whoever_accepts_can_sign_in_and_the_invitation_is_forgotten(muster):
    invitation_id = await invited(muster, roles=("administrator",), display_name="Grace")
    assert invitation_id in await keys_kept(muster)
    made = await muster.ask(AcceptInvitation(token(muster, invitation_id), PASSWORD))
    signed_in = await muster.ask(SignIn(GRACE, PASSWORD))
    assert (signed_in.user_id, signed_in.roles) == (made.user_id, {"administrator"})
    assert await muster.topics() == [
        "UserInvited",
        "UserRegistered",
        "EmailVerified",
        "RoleGranted",
        "AdministratorAdded",
        "InvitationAccepted",
        "SessionStarted",
    ]
    assert await keys_kept(muster) & {invitation_id, made.user_id} == {made.user_id}
    history = await read_stream(muster.pool, muster.database.keys, invitation_id)
    invitation = fold(history)
    assert (invitation.email, invitation.display_name, invitation.user_id) == (FORGOTTEN, FORGOTTEN, made.user_id)
    assert await muster.database.query("SELECT FROM claims WHERE scope = 'invitation'") == []


async def test_twenty_who_accept_at_once_are_one_user(muster):
    invitation_id = await invited(muster)
    accept = AcceptInvitation(token(muster, invitation_id), PASSWORD)
    done = await asyncio.gather(*[muster.ask(accept) for _ in range(20)], return_exceptions=True)
    refused = [one for one in done if isinstance(one, Exception)]
    assert len(refused) == 19
    assert {type(one) for one in refused} == {InvitationOver}
    assert (await muster.topics()).count("UserRegistered") == 1


async def test_of_two_invitations_to_one_address_one_is_accepted(muster):
    first, second = await invited(muster), await invited(muster, "Grace@EXAMPLE.com")
    await muster.ask(AcceptInvitation(token(muster, second), PASSWORD))
    with pytest.raises(AddressTaken):
        await muster.ask(AcceptInvitation(token(muster, first), PASSWORD))


async def test_a_registration_that_was_never_proved_gives_way_and_one_that_was_does_not(muster):
    invitation_id = await invited(muster)
    former = (await muster.ask(RegisterUser(GRACE, "somebody elses words"))).user_id
    made = await muster.ask(AcceptInvitation(token(muster, invitation_id), PASSWORD))
    assert (await muster.ask(SignIn(GRACE, PASSWORD))).user_id == made.user_id != former
    again = await invited(muster, "ada@example.com")
    registered = (await muster.ask(RegisterUser("ada@example.com", PASSWORD))).user_id
    await muster.ask(VerifyEmail(registered, muster.link(registered)))
    with pytest.raises(AddressTaken):
        await muster.ask(AcceptInvitation(token(muster, again), PASSWORD))
    with pytest.raises(AddressTaken):
        await invited(muster, "ada@example.com")


async def test_whoever_sent_it_answers_for_it(muster):
    await muster.ask(GrantRole(await muster.registered("second@example.com"), "administrator"))
    by = await ruler(muster)
    one, other = await invited(muster, by=by), await invited(muster, "ada@example.com", by=by)
    await muster.ask(AcceptInvitation(token(muster, one), PASSWORD))
    await muster.ask(RevokeRole(by, "administrator"))
    with pytest.raises(InvitationOver):
        await muster.ask(AcceptInvitation(token(muster, other), PASSWORD))
    await muster.ask(GrantRole(by, "administrator"))
    await muster.ask(SuspendUser(by))
    with pytest.raises(InvitationOver):
        await muster.ask(AcceptInvitation(token(muster, other), PASSWORD))


def altered(text: str) -> str:
    """With another character in its middle; the last one has bits that mean nothing."""
    at = len(text) // 2
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


async def test_links_of_other_kinds_open_nothing(muster):
    invitation_id = await invited(muster)
    user_id = await muster.registered()
    for wrong in (
        token(muster, invitation_id, purpose=VERIFY_EMAIL),
        token(muster, user_id),
        token(muster, UUID(int=9)),
        altered(token(muster, invitation_id)),
    ):
        with pytest.raises(InvalidLink):
            await muster.ask(AcceptInvitation(wrong, PASSWORD))
    with pytest.raises(LinkExpired):
        await muster.ask(AcceptInvitation(token(muster, invitation_id, hours=-1), PASSWORD))
    with pytest.raises(WeakPassword):
        await muster.ask(AcceptInvitation(token(muster, invitation_id), GRACE))
    with pytest.raises(InvalidAddress):
        await invited(muster, "nobody")


async def test_what_nobody_accepted_is_found_and_forgotten(muster):
    short, long = await invited(muster, hours=1), await invited(muster, "ada@example.com")
    keys, pool = muster.database.keys, muster.pool
    _, found, following = await open_invitations(pool, keys, muster.now)
    assert ([one.email for one in found], following) == ([GRACE, "ada@example.com"], None)
    _, first, following = await open_invitations(pool, keys, muster.now, limit=1)
    assert ([one.id for one in first], following) == ([short], short)
    muster.now += timedelta(hours=2)
    assert [one async for one in invitations_past(pool, keys, muster.now)] == [short]
    assert await muster.ask(LapseInvitation(short))
    assert not await muster.ask(LapseInvitation(short))
    assert [one async for one in invitations_past(pool, keys, muster.now)] == []
    assert await keys_kept(muster) & {short, long} == {long}
    _, found, _ = await open_invitations(pool, keys, muster.now)
    assert [one.id for one in found] == [long]
    await muster.ask(WithdrawInvitation(long))
    assert await keys_kept(muster) & {short, long} == set()
    with pytest.raises(InvitationOver):
        await muster.ask(AcceptInvitation(token(muster, long), PASSWORD))
