"""Rules on addresses that change: asked for, proved, undone, released."""

from datetime import timedelta
from uuid import UUID

import pytest

from commands.change_email import ChangeEmail
from commands.claims import rebuild_claims
from commands.errors import AddressTaken, InvalidCredentials, LinkSpent, NoSuchUser
from commands.links import UNDO_EMAIL_CHANGE, link_token
from commands.register_user import RegisterUser
from commands.release_former_address import ReleaseFormerAddress
from commands.request_verification import RequestVerification
from commands.sign_in import SignIn
from commands.undo_email_change import UndoEmailChange
from commands.verify_email import VerifyEmail
from events.connections import connect
from events.user import (
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    EmailVerified,
    ErasureRequested,
    ErasureWithdrawn,
    FormerAddressReleased,
    PasskeyAdded,
    PasskeyRemoved,
    PasswordChanged,
    PasswordReset,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
    UserRegistered,
    UserSuspended,
    VerificationRequested,
)
from tests.muster import PASSWORD
from tests.support import NOON

ada, OWN, THEIRS = UUID(int=1), UUID(int=7), UUID(int=8)
registered, proved = UserRegistered("ada@example.com"), EmailVerified()
asked, changed = EmailChangeRequested("countess@example.com"), EmailChanged("countess@example.com")
LATE = NOON + timedelta(hours=73)


class TestChangeEmail:
    ask = ChangeEmail(ada, "countess@example.com", PASSWORD)

    def when(self, given, *past, email="countess@example.com", now=NOON):
        return given(*past).when(self.ask, email=email, now=now)

    def test_asks_for_proof_of_the_new_one(self, given):
        self.when(given, registered, proved).then(asked)

    def test_has_the_link_mailed_again_five_times_an_hour_at_most(self, given):
        self.when(given, registered, proved, *[asked] * 4).then(asked)
        self.when(given, registered, proved, *[asked] * 5).then_nothing()
        self.when(given, registered, proved, *[asked] * 5, now=NOON + timedelta(hours=2)).then(asked)

    def test_asks_for_nothing_when_it_is_that_already(self, given):
        self.when(given, registered, proved, email="ada@example.com").then_nothing()

    @pytest.mark.parametrize("past", [(), (registered,), (registered, proved, UserSuspended())])
    def test_is_for_those_who_may_sign_in(self, given, past):
        self.when(given, *past).then_refused(NoSuchUser)


class TestProvingTheNewOne:
    ask = VerifyEmail(ada, "a token")

    def test_changes_the_address(self, given):
        given(registered, proved, asked).when(self.ask, answered_version=3).then(changed)

    def test_refuses_a_link_that_was_used_or_superseded(self, given):
        given(registered, proved, asked, changed).when(self.ask, answered_version=3).then_refused(LinkSpent)
        given(registered, proved, asked, asked).when(self.ask, answered_version=3).then_refused(LinkSpent)
        given(registered, proved, asked).when(self.ask, answered_version=1).then_refused(LinkSpent)

    @pytest.mark.parametrize("fact", [PasswordChanged(), PasswordReset(), UserSuspended()])
    def test_refuses_a_link_from_before_the_password_changed_or_a_suspension(self, given, fact):
        given(registered, proved, asked, fact).when(self.ask, answered_version=3).then_refused(LinkSpent)

    def test_refuses_an_address_that_another_has_proved(self, given):
        with pytest.raises(AddressTaken):
            self.ask.decide_change(given(registered, proved).user)
        self.ask.decide_change(given(registered).user)
        self.ask.decide_change(given().user)


class TestUndoEmailChange:
    ask = UndoEmailChange(ada, "a token")
    past = (registered, proved, asked, changed)

    def test_gives_the_former_address_back(self, given):
        given(*self.past).when(self.ask, answered_version=4, hours=72).then(EmailChangeUndone("ada@example.com"))

    def test_withdraws_an_erasure_that_was_asked_for(self, given):
        """Whoever took the account may have asked, and was written to: the owner never heard of it."""
        thief = ErasureRequested(NOON + timedelta(days=14))
        kept = (EmailChangeUndone("ada@example.com"), ErasureWithdrawn())
        given(*self.past, thief).when(self.ask, answered_version=4, hours=72).then(*kept)
        assert given(*self.past, thief, *kept).user.erasure_due_at is None

    def test_takes_the_factors_away_that_were_added_since_shortly_before_the_change(self, given):
        thief = (TotpEnrolled(), TotpConfirmed(), PasskeyAdded(THEIRS, "A key"))
        past = (registered, proved, PasskeyAdded(OWN, "A key"), asked, changed, *thief)
        undone, added = EmailChangeUndone("ada@example.com"), (TotpRemoved(), PasskeyRemoved(THEIRS))
        given(*past).when(self.ask, answered_version=5, hours=0).then(undone, *added)
        both = (OWN, THEIRS)
        given(*past).when(self.ask, answered_version=5, hours=1).then(undone, TotpRemoved(), *map(PasskeyRemoved, both))
        assert set(given(*past, undone, *added).user.factors.passkeys) == {OWN}

    def test_refuses_what_was_undone_or_released_or_never_was(self, given):
        undone, released = EmailChangeUndone("ada@example.com"), FormerAddressReleased("ada@example.com")
        for more in (undone, released):
            given(*self.past, more).when(self.ask, answered_version=4, hours=72).then_refused(LinkSpent)
        given(*self.past).when(self.ask, answered_version=3, hours=72).then_refused(LinkSpent)
        given().when(self.ask, answered_version=4, hours=72).then_refused(LinkSpent)

    def test_reaches_back_over_later_changes(self, given):
        thief = (EmailChangeRequested("thief@example.com"), EmailChanged("thief@example.com"))
        given(*self.past, *thief).when(self.ask, answered_version=4, hours=72).then(
            EmailChangeUndone("ada@example.com")
        )
        user = given(*self.past, *thief, EmailChangeUndone("ada@example.com")).user
        assert (user.email, user.former) == ("ada@example.com", ())
        later = given(*self.past, *thief, EmailChangeUndone("countess@example.com")).user
        assert [one.email for one in later.former] == ["ada@example.com"]

    def test_an_address_that_is_had_again_is_no_former_one(self, given):
        back = (EmailChangeRequested("ada@example.com"), EmailChanged("ada@example.com"))
        user = given(*self.past, *back).user
        assert [one.email for one in user.former] == ["countess@example.com"]


class TestReleaseFormerAddress:
    ask = ReleaseFormerAddress(ada)
    past = (registered, proved, asked, changed)

    def test_releases_when_the_time_is_over(self, given):
        early = NOON + timedelta(hours=72)
        given(*self.past).when(self.ask, now=early, hours=72).then_nothing()
        released = FormerAddressReleased("ada@example.com")
        given(*self.past).when(self.ask, now=LATE, hours=72).then(released)
        given(*self.past, released).when(self.ask, now=LATE, hours=72).then_nothing()

    def test_has_nothing_to_release_of_whoever_never_changed(self, given):
        for past in ((), (registered,), (registered, proved, asked)):
            given(*past).when(self.ask, now=LATE, hours=72).then_nothing()


class TestRequestVerification:
    def test_asks_again_for_what_is_not_proved(self, given):
        given(registered).when(RequestVerification(ada), now=NOON).then(VerificationRequested())

    def test_asks_for_nothing_of_anyone_else(self, given):
        for past in ((), (registered, proved), (registered, proved, asked), (registered, UserSuspended())):
            given(*past).when(RequestVerification(ada), now=NOON).then_nothing()

    def test_asks_again_for_a_change_of_ones_own(self, given):
        given(registered, proved, asked).when(RequestVerification(ada, oneself=True), now=NOON).then(asked)


class TestOnAStore:
    async def change(self, muster, user_id, version, email):
        await muster.ask(ChangeEmail(user_id, email, PASSWORD))
        await muster.ask(VerifyEmail(user_id, muster.link(user_id, version)))

    async def owners(self, muster):
        rows = await muster.database.query("SELECT owner_id, proven FROM claims ORDER BY claimed_at, key")
        return [(row["owner_id"], row["proven"]) for row in rows]

    async def rebuilt(self, muster):
        connection = await connect(muster.database.owner_url, "tests")
        *_, last = [step async for step in rebuild_claims(connection, muster.database.keys, b"claims")]
        await connection.close()
        return (last.added, last.removed, last.changed)

    async def test_a_former_address_is_claimed_until_it_is_released(self, muster):
        user_id = await muster.registered()
        await self.change(muster, user_id, 3, "countess@example.com")
        assert await self.owners(muster) == [(user_id, False), (user_id, True)]
        with pytest.raises(InvalidCredentials):
            await muster.ask(SignIn("ada@example.com", PASSWORD))
        assert await muster.ask(SignIn("countess@example.com", PASSWORD))
        assert await self.rebuilt(muster) == (0, 0, 0)
        assert await muster.ask(ReleaseFormerAddress(user_id)) is False
        muster.now += timedelta(hours=73)
        assert await muster.ask(ReleaseFormerAddress(user_id)) is True
        assert await muster.ask(ReleaseFormerAddress(user_id)) is False
        assert await self.owners(muster) == [(user_id, True)]
        assert await self.rebuilt(muster) == (0, 0, 0)
        assert await muster.registered("ada@example.com") != user_id

    async def test_claims_follow_from_the_log_whatever_became_of_addresses(self, muster, monkeypatch):
        user_id = await muster.registered()
        squatter = (await muster.ask(RegisterUser("c1@example.com", PASSWORD))).user_id
        for version, email in ((3, "c1@example.com"), (5, "c2@example.com"), (7, "ada@example.com")):
            await self.change(muster, user_id, version, email)
        await self.change(muster, user_id, 9, "ADA@example.com")
        for page in (5000, 3, 1):
            monkeypatch.setattr("commands.claims.PAGE", page)
            assert await self.rebuilt(muster) == (0, 0, 0)
        assert squatter not in {owner for owner, _ in await self.owners(muster)}
        token = link_token(b"links", UNDO_EMAIL_CHANGE, user_id, 6, muster.now + timedelta(hours=1))
        await muster.ask(UndoEmailChange(user_id, token))
        for page in (5000, 2):
            monkeypatch.setattr("commands.claims.PAGE", page)
            assert await self.rebuilt(muster) == (0, 0, 0)
