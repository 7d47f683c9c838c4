"""Whatever happened to a user: what is asked twice is recorded once, and what was decided can have happened."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.change_display_name import ChangeDisplayName
from commands.change_locale import ChangeLocale
from commands.change_metadata import ChangeMetadata
from commands.change_picture import ChangePicture
from commands.change_profile import ChangeProfile
from commands.change_time_zone import ChangeTimeZone
from commands.enrol_totp import ConfirmTotp
from commands.erase_user import EraseUser
from commands.errors import Refused
from commands.grant_role import GrantRole, RevokeRole
from commands.lapse_registration import LapseRegistration
from commands.release_former_address import ReleaseFormerAddress
from commands.remove_factors import RemoveFactors
from commands.remove_passkey import RemovePasskey
from commands.remove_totp import RemoveTotp
from commands.request_erasure import RequestErasure
from commands.suspend_user import ReinstateUser, SuspendUser
from commands.undo_email_change import UndoEmailChange
from commands.unlock_user import LiftLock, UnlockByLink, UnlockUser
from commands.user import User, evolve, fold
from commands.verify_email import VerifyEmail
from commands.withdraw_erasure import WithdrawErasure, WithdrawErasureByLink
from events.event import Recorded
from events.user import (
    AddressRegisteredAgain,
    AdministratorsMetadataChanged,
    DisplayNameChanged,
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    EmailVerified,
    ErasureRequested,
    ErasureWithdrawn,
    FormerAddressReleased,
    LocaleChanged,
    OwnMetadataChanged,
    PasskeyAdded,
    PasskeyCountWentBack,
    PasskeyRemoved,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    PictureChanged,
    RecoveryCodesIssued,
    RecoveryCodeUsed,
    RegistrationLapsed,
    RoleGranted,
    RoleRevoked,
    SecondFactorRefused,
    SignedOutEverywhere,
    TimeZoneChanged,
    TotpConfirmed,
    TotpEnrolled,
    TotpRemoved,
    UserErased,
    UserImported,
    UserLocked,
    UserRegistered,
    UserReinstated,
    UserSuspended,
    UserUnlocked,
    VerificationRequested,
)
from projections.users import evolve as row_after
from tests.support import NOON, History

ADA = UUID(int=1)
LATE = NOON + timedelta(days=30)
addresses = st.sampled_from(["a@example.com", "b@example.com", "c@example.com"])
names = st.none() | st.sampled_from(["Ada", "Countess"])
locales = st.none() | st.sampled_from(["en", "fr-FR"])
zones = st.none() | st.sampled_from(["Europe/London", "Asia/Tokyo"])
pictures = st.none() | st.just("https://example.com/a.png")
passkeys = st.sampled_from([UUID(int=7), UUID(int=8)])
roles = st.sampled_from(["auditor", "analyst", "administrator"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
entries = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
changes = entries.map(lambda given: tuple(sorted(given.items())))

facts = st.one_of(
    st.sampled_from(
        [
            EmailVerified(),
            VerificationRequested(),
            AddressRegisteredAgain(),
            PasswordChanged(),
            PasswordResetRequested(),
            PasswordReset(),
            SignedOutEverywhere(),
            UserSuspended(),
            UserReinstated(),
            UserUnlocked(),
            UserLocked(NOON + timedelta(minutes=15)),
            RegistrationLapsed(),
            ErasureRequested(NOON + timedelta(days=14)),
            ErasureWithdrawn(),
            UserErased(),
            TotpEnrolled(),
            TotpConfirmed(),
            TotpRemoved(),
            SecondFactorRefused(),
        ]
    ),
    st.builds(EmailChangeRequested, addresses),
    st.builds(EmailChanged, addresses),
    st.builds(EmailChangeUndone, addresses),
    st.builds(FormerAddressReleased, addresses),
    st.builds(DisplayNameChanged, names),
    st.builds(LocaleChanged, locales),
    st.builds(TimeZoneChanged, zones),
    st.builds(PictureChanged, pictures),
    st.builds(OwnMetadataChanged, changes),
    st.builds(AdministratorsMetadataChanged, changes),
    st.builds(RoleGranted, roles),
    st.builds(RoleRevoked, roles),
    st.builds(PasskeyAdded, passkeys, st.just("A key")),
    st.builds(PasskeyRemoved, passkeys),
    st.builds(PasskeyCountWentBack, passkeys),
    st.builds(RecoveryCodesIssued, st.just(10)),
    st.builds(RecoveryCodeUsed, st.integers(0, 9)),
)
imported = st.builds(
    UserImported, addresses, st.booleans(), names, locales, zones, pictures, changes, changes, st.just("crm:1")
)
beginnings = st.just(UserRegistered("a@example.com")) | imported
histories = st.tuples(beginnings, st.lists(facts, max_size=12)).map(lambda told: [told[0], *told[1]])
versions = st.integers(0, 13)
asked = st.one_of(
    st.builds(ChangeDisplayName, st.just(ADA), names).map(lambda command: command.decide),
    st.builds(ChangeLocale, st.just(ADA), locales).map(lambda command: command.decide),
    st.builds(ChangeTimeZone, st.just(ADA), zones).map(lambda command: command.decide),
    st.builds(ChangePicture, st.just(ADA), pictures).map(lambda command: command.decide),
    st.builds(ChangeProfile, st.just(ADA), names, locales, zones, pictures).map(lambda command: command.decide),
    st.builds(ChangeMetadata, st.just(ADA), entries, entries, st.booleans()).map(lambda command: command.decide),
    st.builds(GrantRole, st.just(ADA), roles).map(lambda command: command.decide),
    st.builds(RevokeRole, st.just(ADA), roles).map(lambda command: command.decide),
    st.sampled_from([SuspendUser(ADA).decide, ReinstateUser(ADA).decide, UnlockUser(ADA).decide]),
    st.sampled_from([EraseUser(ADA).decide, WithdrawErasure(ADA).decide]),
    st.just(lambda user: RequestErasure(ADA, "").decide(user, LATE, 14)),
    versions.map(lambda version: lambda user: WithdrawErasureByLink(ADA, "").decide(user, version)),
    st.sampled_from([RemoveTotp(ADA).decide, RemoveFactors(ADA).decide]),
    st.builds(RemovePasskey, st.just(ADA), passkeys).map(lambda command: command.decide),
    st.just(lambda user: ConfirmTotp(ADA, "").decide(user, right=True)),
    st.just(lambda user: LiftLock(ADA).decide(user, LATE)),
    st.just(lambda user: LapseRegistration(ADA).decide(user, LATE, 72)),
    st.just(lambda user: ReleaseFormerAddress(ADA).decide(user, LATE, 72)),
    versions.map(lambda version: lambda user: VerifyEmail(ADA, "").decide(user, version)),
    versions.map(lambda version: lambda user: UndoEmailChange(ADA, "").decide(user, version, 72)),
    versions.map(lambda version: lambda user: UnlockByLink(ADA, "").decide(user, version)),
)


def happened(user: User, events) -> User:
    """The user once these events were recorded."""
    for event in events:
        version = user.version + 1
        user = evolve(user, Recorded(event, version, ADA, "user", version, ADA, LATE))
    return user


@settings(max_examples=400, deadline=None)
@given(histories, asked)
def test_asking_twice_records_nothing_the_second_time(past, decide):
    user = fold(History(stream_id=ADA).of(*past))
    try:
        events = decide(user)
    except Refused:
        return
    after = happened(user, events)
    try:
        assert decide(after) == []
    except Refused:
        assert events, "what was refused the second time was done the first time"


@settings(max_examples=200, deadline=None)
@given(histories)
def test_the_view_tells_of_a_user_what_decisions_know(past):
    history = History(stream_id=ADA).of(*past)
    user, row = fold(history), None
    for recorded in history:
        row = row_after(row, recorded)
    assert (row is not None) == user.active
    if row is not None:
        assert (row.email, row.email_verified, row.version) == (user.email, user.email_verified, user.version)
        assert row.display_name == user.display_name
        assert (row.locale, row.time_zone, row.picture_url) == (user.locale, user.time_zone, user.picture_url)
        assert row.metadata == {"own": user.own_metadata, "admin": user.administrators_metadata}
        assert set(row.roles) == user.roles
        assert row.suspended == user.suspended
        assert row.locked_until == user.locked_until
        assert row.erasure_due_at == user.erasure_due_at
        assert row.registered_at == user.registered_at
