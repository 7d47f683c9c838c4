"""One example of every event, with the JSON line that was recorded for it: it must decode for ever."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from events.administrators import AdministratorAdded, AdministratorRemoved, FirstAdministratorInvited
from events.api_key import ApiKeyIssued, ApiKeyRevoked, ApiKeyUsed
from events.delivery import DeliveryRedriven
from events.event import Event
from events.invitation import InvitationAccepted, InvitationLapsed, InvitationWithdrawn, UserInvited
from events.keys import DataKey
from events.projection import ParkedEventDiscarded, ParkedEventsRetried, RebuildAsked
from events.session import (
    RefreshTokenReused,
    SessionContinued,
    SessionEnded,
    SessionExpired,
    SessionStarted,
    SteppedUp,
)
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
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    SecondFactorRefused,
    ServiceAccountCreated,
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

__all__ = ["EXAMPLES", "KEY", "STREAM", "VERSION", "recorded_lines"]

KEY = DataKey(UUID("7d7f1d0a-4f65-4a4e-9d2b-0f5f5f0a9c11"), bytes(range(32)))
STREAM = UUID("0190b0a6-ad31-7000-8000-000000000001")
OTHER = UUID("0190b0a6-ad31-7000-8000-000000000002")
VERSION = 7

EXAMPLES: dict[str, Event] = {
    type(event).__name__: event
    for event in (
        UserRegistered("ada@example.com", "Ada Lovelace", "en-GB"),
        UserImported(
            "ada@example.com",
            True,
            "Ada Lovelace",
            "en-GB",
            "Europe/London",
            "https://example.com/ada.png",
            (("theme", "dark"),),
            (("plan", {"seats": 3}),),
            "crm:4711",
            datetime(2019, 5, 4, 9, 30, tzinfo=UTC),
        ),
        ServiceAccountCreated("billing"),
        VerificationRequested(),
        EmailVerified(),
        AddressRegisteredAgain(),
        RegistrationSuperseded(OTHER),
        RegistrationLapsed(),
        EmailChangeRequested("countess@example.com"),
        EmailChanged("countess@example.com"),
        EmailChangeUndone("ada@example.com"),
        FormerAddressReleased("ada@example.com"),
        PasswordChanged(),
        PasswordResetRequested(),
        PasswordReset(),
        DisplayNameChanged("Ada King"),
        LocaleChanged("fr"),
        TimeZoneChanged("Europe/London"),
        PictureChanged("https://example.com/ada.png"),
        OwnMetadataChanged((("theme", "dark"), ("tour", None))),
        AdministratorsMetadataChanged((("plan", {"seats": 3}),)),
        RoleGranted("auditor"),
        RoleRevoked("auditor"),
        SignedOutEverywhere(),
        UserSuspended(),
        UserReinstated(),
        UserLocked(datetime(2026, 3, 1, 12, 15, tzinfo=UTC)),
        UserUnlocked(),
        ErasureRequested(datetime(2026, 3, 15, 12, 0, tzinfo=UTC)),
        ErasureWithdrawn(),
        UserErased(),
        TotpEnrolled(),
        TotpConfirmed(),
        TotpRemoved(),
        RecoveryCodesIssued(10),
        RecoveryCodeUsed(9),
        SecondFactorRefused(),
        PasskeyAdded(OTHER, "My telephone"),
        PasskeyRemoved(OTHER),
        PasskeyCountWentBack(OTHER),
        SessionStarted(OTHER, "password"),
        SessionContinued(),
        SteppedUp("totp"),
        SessionEnded(),
        SessionExpired(),
        RefreshTokenReused(),
        FirstAdministratorInvited(),
        AdministratorAdded(OTHER),
        AdministratorRemoved(OTHER),
        ApiKeyIssued(OTHER, "nightly report", ("account:read", "users:read"), datetime(2026, 5, 30, 12, tzinfo=UTC)),
        ApiKeyUsed(),
        ApiKeyRevoked(),
        UserInvited("grace@example.com", ("auditor",), datetime(2026, 3, 8, 12, tzinfo=UTC), OTHER, "Grace", "en"),
        InvitationAccepted(OTHER),
        InvitationWithdrawn(),
        InvitationLapsed(),
        ParkedEventsRetried("users", OTHER),
        ParkedEventDiscarded("users", 17),
        RebuildAsked("users", 4),
        DeliveryRedriven("emails", "verification", 17),
    )
}


def recorded_lines() -> dict[str, dict[str, str]]:
    """The recorded line of each event and class version: `topic@version` to its topic and state."""
    lines = Path(__file__).with_name("recorded.jsonl").read_text("utf-8").splitlines()
    return {line["name"]: line for line in map(json.loads, lines)}
