"""The rules of the smaller commands, on histories."""

from datetime import timedelta
from uuid import UUID

import pytest

from commands.administrators import Administrators
from commands.change_display_name import ChangeDisplayName
from commands.display_names import display_name
from commands.end_session import EndSession
from commands.errors import (
    InvalidCredentials,
    InvalidDisplayName,
    InvalidRefreshToken,
    LastAdministrator,
    LinkSpent,
    NoSuchRole,
    NoSuchSession,
    NoSuchUser,
)
from commands.first_administrator import InviteFirstAdministrator, SignUpFirstAdministrator
from commands.grant_role import GrantRole, RevokeRole
from commands.refresh_session import RefreshSession, Verdict
from commands.refresh_tokens import GRACE, Family, read_token
from commands.session import Session
from commands.sign_in import SignIn
from commands.verify_email import VerifyEmail
from events.administrators import AdministratorAdded, AdministratorRemoved, FirstAdministratorInvited
from events.session import SessionEnded
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    UserLocked,
    UserRegistered,
    UserSuspended,
    VerificationRequested,
)
from tests.support import NOON, Given

registered = UserRegistered("ada@example.com", "Ada")
proved = EmailVerified()
superseded = RegistrationSuperseded(UUID(int=9))
ada = UUID(int=1)
bob = UUID(int=2)
session_id = UUID(int=3)


class TestVerifyEmail:
    ask = VerifyEmail(ada, "a token")

    def test_proves_the_address_with_the_link_of_the_registration(self, given):
        given(registered).when(self.ask, answered_version=1).then(EmailVerified())

    def test_refuses_a_link_that_was_used(self, given):
        given(registered, proved).when(self.ask, answered_version=1).then_refused(LinkSpent)

    def test_refuses_an_older_link_than_the_newest(self, given):
        given(registered, VerificationRequested()).when(self.ask, answered_version=1).then_refused(LinkSpent)
        given(registered, VerificationRequested()).when(self.ask, answered_version=2).then(EmailVerified())

    def test_refuses_the_link_of_a_registration_that_was_superseded(self, given):
        given(registered, superseded).when(self.ask, answered_version=1).then_refused(LinkSpent)


class TestChangeDisplayName:
    def test_takes_the_new_name(self, given):
        given(registered).when(ChangeDisplayName(ada, "Countess")).then(DisplayNameChanged("Countess"))

    def test_takes_no_name(self, given):
        given(registered).when(ChangeDisplayName(ada, None)).then(DisplayNameChanged(None))

    def test_asking_twice_records_nothing(self, given):
        given(registered, DisplayNameChanged("Countess")).when(ChangeDisplayName(ada, "Countess")).then_nothing()

    def test_refuses_a_stranger(self, given):
        given().when(ChangeDisplayName(ada, "Ada")).then_refused(NoSuchUser)

    @pytest.mark.parametrize(
        "name",
        [
            *("", " ", "x" * 101, "a\r\nBcc: b@example.com", "a\u202eb", "a\u2028b", "a\0b"),
            *("a" + "\u0301" * 99, "a" + "\u0903" * 9, "a" + "\u0301\u0301\u0903" * 3, "a" + "\u0336" * 5),
            *("a" + ("\u0301" * 4 + "\u200d") * 19, "a" + ("\u0301\u094d\u200c") * 9),
            *("\u200d", "\u200c\u200c", "\u3164", "\u2800", "\ufe0f", "\u0301"),
            *("a\u200d", "\u200da", "a\u200d\u200db", "a \u200cb", "1\u200d2", ".\u200d."),
        ],
        ids=lambda name: ascii(name[:12]),
    )
    def test_refuses_a_name_that_does_harm_where_it_is_shown(self, name):
        with pytest.raises(InvalidDisplayName):
            display_name(name)

    def test_takes_names_as_people_have_them(self):
        for name in (
            *("Ada", "Žofie Nováková", "محمد", "नरेन्द्र", "山田太郎", "O'Brien-Smith", "李", "7", "Nguyễn Thị Hạnh"),
            *("می‌خواهم", "👩‍🚀", "👩‍👩‍👧‍👦", "👩🏽‍🚀", "❤️‍🔥", "🙂‍↔️", "བསྒྲུབས"),
            # A conjunct, a half letter at the end of a word, a joiner before a mark, and a letter with five marks.
            *("ශ්‍රී", "മോഹന്‍ലാല്‍ നായര്‍", "র‍্যাচেল", "မျှော်"),
        ):
            assert display_name(f" {name} ") == name


class TestSignIn:
    ask = SignIn("ada@example.com", "correct horse battery")

    def test_refuses_the_wrong_password(self, given):
        given(registered, proved).when(self.ask, matches=False).then_refused(InvalidCredentials)

    @pytest.mark.parametrize(
        "past", [(), (registered,), (registered, superseded), (registered, proved, UserSuspended())]
    )
    def test_refuses_the_right_password_where_there_is_nothing_to_sign_in_to(self, given, past):
        given(*past).when(self.ask, matches=True).then_refused(InvalidCredentials)

    def refused(self, given, *past, matches=True, last=False, now=NOON):
        return given(*past).when(self.ask.decide_refused, matches=matches, last=last, now=now, minutes=15)

    def test_mails_the_link_again_to_whoever_has_not_proved_the_address(self, given):
        self.refused(given, registered).then(VerificationRequested())

    def test_mails_it_five_times_an_hour_at_most(self, given):
        asked = [VerificationRequested()] * 4
        self.refused(given, registered, *asked, now=NOON + timedelta(minutes=30)).then_nothing()

    def test_locks_with_the_last_attempt_of_strangers(self, given):
        locked = UserLocked(NOON + timedelta(minutes=15))
        self.refused(given, registered, proved, matches=False, last=True).then(locked)
        self.refused(given, registered, proved, matches=False, last=False).then_nothing()
        self.refused(given, registered, proved, locked, matches=False, last=True).then_nothing()

    @pytest.mark.parametrize("past", [(), (registered,), (registered, proved, UserSuspended())])
    def test_locks_nothing_that_cannot_be_signed_in_to(self, given, past):
        self.refused(given, *past, matches=False, last=True).then_nothing()


class TestRefreshSession:
    session = Session(1, ada)
    family = Family(b"s" * 32, 1, NOON, NOON + timedelta(days=30))

    def decide(self, family, token, now=NOON, session=session):
        return RefreshSession(token).decide(session, family, read_token(token), now)

    def test_spends_the_living_token_for_the_next(self):
        assert self.decide(self.family, self.family.token(session_id)) is Verdict.LIVING

    def test_gives_a_lost_answer_again(self):
        token = self.family.token(session_id)
        rotated = self.family.rotated(NOON, timedelta(days=30))
        assert self.decide(rotated, token, NOON + GRACE) is Verdict.JUST_SPENT
        assert self.decide(rotated, token, NOON + GRACE + timedelta(seconds=1)) is Verdict.REUSED

    def test_sees_reuse_of_an_older_one_at_once(self):
        token = self.family.token(session_id)
        rotated = self.family.rotated(NOON, timedelta(days=30)).rotated(NOON, timedelta(days=30))
        assert self.decide(rotated, token) is Verdict.REUSED

    def test_refuses_a_token_of_another_family(self):
        other = Family(b"o" * 32, 1, NOON, NOON + timedelta(days=30))
        with pytest.raises(InvalidRefreshToken):
            self.decide(self.family, other.token(session_id))

    def test_refuses_what_comes_too_late_or_after_the_end(self):
        token = self.family.token(session_id)
        with pytest.raises(InvalidRefreshToken):
            self.decide(self.family, token, NOON + timedelta(days=30))
        with pytest.raises(InvalidRefreshToken):
            self.decide(self.family, token, session=Session(2, ada, ended=True))
        with pytest.raises(InvalidRefreshToken):
            self.decide(None, token)

    @pytest.mark.parametrize("token", ["", "x", "A" * 80, "é"])
    def test_refuses_nonsense(self, token):
        with pytest.raises(InvalidRefreshToken):
            self.decide(self.family, token)


class TestEndSession:
    def test_ends_ones_own(self):
        assert EndSession(session_id, ada).decide(Session(1, ada)) == [SessionEnded()]

    def test_asking_twice_records_nothing(self):
        assert EndSession(session_id, ada).decide(Session(2, ada, ended=True)) == []

    @pytest.mark.parametrize("session", [Session(), Session(1, bob)])
    def test_knows_no_session_of_anothers(self, session):
        with pytest.raises(NoSuchSession):
            EndSession(session_id, ada).decide(session)

    def test_ends_anyones_for_those_who_may(self):
        assert EndSession(session_id, None).decide(Session(1, bob)) == [SessionEnded()]


class TestRoles:
    def test_grants_once(self, given):
        given(registered).when(GrantRole(ada, "auditor")).then(RoleGranted("auditor"))
        given(registered, RoleGranted("auditor")).when(GrantRole(ada, "auditor")).then_nothing()

    def test_revokes_once(self, given):
        given(registered, RoleGranted("auditor")).when(RevokeRole(ada, "auditor")).then(RoleRevoked("auditor"))
        given(registered).when(RevokeRole(ada, "auditor")).then_nothing()

    @pytest.mark.parametrize("command", [GrantRole, RevokeRole])
    def test_refuses_a_role_that_is_none_and_a_stranger(self, given, command):
        given(registered).when(command(ada, "emperor")).then_refused(NoSuchRole)
        given().when(command(ada, "auditor")).then_refused(NoSuchUser)

    def test_one_administrator_always_remains(self):
        two = Administrators(3, 1, frozenset({ada, bob}))
        assert RevokeRole(ada, "administrator").decide_administrators(two) == [AdministratorRemoved(ada)]
        with pytest.raises(LastAdministrator):
            RevokeRole(ada, "administrator").decide_administrators(Administrators(4, 1, frozenset({ada})))

    def test_the_administrators_stream_says_who_was_added(self):
        one = Administrators(2, 1, frozenset({ada}))
        assert GrantRole(bob, "administrator").decide_administrators(one) == [AdministratorAdded(bob)]
        assert GrantRole(ada, "administrator").decide_administrators(one) == []


class TestFirstAdministrator:
    ask = SignUpFirstAdministrator("a token", "ada@example.com", "correct horse battery")

    def test_is_invited_once(self):
        assert InviteFirstAdministrator().decide(Administrators()) == [FirstAdministratorInvited()]
        assert InviteFirstAdministrator().decide(Administrators(1, 1)) == []

    def test_is_one(self):
        self.ask.decide(Administrators(1, 1), 1)
        with pytest.raises(LinkSpent):
            self.ask.decide(Administrators(2, 1, frozenset({ada})), 1)


def test_a_user_who_never_was_may_do_nothing():
    assert not Given([]).user.active
    assert not Given([]).user.may_sign_in
