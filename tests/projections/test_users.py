"""Given events, then rows."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from events.personal import FORGOTTEN
from events.session import SessionContinued, SessionEnded, SessionStarted
from events.user import (
    AddressRegisteredAgain,
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    RoleRevoked,
    ServiceAccountCreated,
    UserImported,
    UserLocked,
    UserRegistered,
    UserReinstated,
    UserSuspended,
    UserUnlocked,
    VerificationRequested,
)
from projections.users import UserRow, evolve
from tests.support import NOON, History

registered = UserRegistered("ada@example.com", "Ada", "en")


def row_of(*events, history: History | None = None) -> Any:
    row: UserRow | None = None
    for recorded in (history or History()).of(*events):
        row = evolve(row, recorded)
    return row


def test_a_registration_makes_an_unverified_user():
    history = History()
    assert row_of(registered, history=history) == UserRow(
        id=history.stream_id,
        kind="person",
        email="ada@example.com",
        email_verified=False,
        display_name="Ada",
        locale="en",
        time_zone=None,
        picture_url=None,
        roles=(),
        status="unverified",
        metadata={"own": {}, "admin": {}},
        registered_at=NOON + timedelta(minutes=1),
        updated_at=NOON + timedelta(minutes=1),
        version=1,
    )


def test_an_import_makes_a_user_as_they_were_known_elsewhere():
    history, long_ago = History(), NOON - timedelta(days=900)
    imported = UserImported(
        "ada@example.com",
        True,
        "Ada",
        "en",
        "Europe/London",
        "https://example.com/ada.png",
        (("theme", "dark"),),
        (("plan", "gold"),),
        "crm:1",
        long_ago,
    )
    assert row_of(imported, history=history) == UserRow(
        id=history.stream_id,
        kind="person",
        email="ada@example.com",
        email_verified=True,
        display_name="Ada",
        locale="en",
        time_zone="Europe/London",
        picture_url="https://example.com/ada.png",
        roles=(),
        status="active",
        metadata={"own": {"theme": "dark"}, "admin": {"plan": "gold"}},
        registered_at=long_ago,
        updated_at=NOON + timedelta(minutes=1),
        version=1,
    )
    unproved = row_of(UserImported("ada@example.com", email_verified=False))
    assert (unproved.status, unproved.registered_at) == ("unverified", unproved.updated_at)


def test_a_service_account_is_active_without_an_address():
    row = row_of(ServiceAccountCreated("billing"))
    assert (row.kind, row.email, row.display_name, row.status) == ("service", None, "billing", "active")
    assert row_of(ServiceAccountCreated("billing"), UserSuspended()).status == "suspended"
    assert row_of(ServiceAccountCreated("billing"), UserSuspended(), UserReinstated()).status == "active"
    assert row_of(ServiceAccountCreated(FORGOTTEN)) is None


def test_a_proved_address_makes_the_user_active():
    row = row_of(registered, EmailVerified())
    assert (row.email_verified, row.status, row.version) == (True, "active", 2)


def test_shows_the_newest_name_and_when_it_changed():
    row = row_of(registered, DisplayNameChanged("Countess"), DisplayNameChanged(None))
    assert (row.display_name, row.updated_at) == (None, NOON + timedelta(minutes=3))
    assert row.registered_at == NOON + timedelta(minutes=1)


def test_shows_roles_once_and_in_order():
    granted = [RoleGranted(role) for role in ("auditor", "administrator", "auditor", "analyst")]
    assert row_of(registered, *granted, RoleRevoked("analyst")).roles == ("administrator", "auditor")


def test_a_role_that_nobody_had_is_revoked_without_effect():
    assert row_of(registered, RoleRevoked("auditor")).roles == ()


def test_a_superseded_registration_is_gone_for_good():
    superseded = RegistrationSuperseded(History().stream_id)
    later = [EmailVerified(), DisplayNameChanged("Ada"), RoleGranted("auditor"), RoleRevoked("auditor"), superseded]
    assert row_of(registered, superseded, *later) is None


@pytest.mark.parametrize(
    "forgotten",
    [
        UserRegistered(FORGOTTEN, FORGOTTEN, FORGOTTEN),
        UserRegistered(FORGOTTEN),
        UserRegistered("ada@example.com", FORGOTTEN),
        UserImported(FORGOTTEN, True),
        UserImported("ada@example.com", True, own_metadata=FORGOTTEN),
        UserImported("ada@example.com", True, picture_url=FORGOTTEN),
    ],
)
def test_someone_forgotten_is_not_shown(forgotten):
    assert row_of(forgotten, EmailVerified(), DisplayNameChanged(FORGOTTEN)) is None


def test_someone_forgotten_in_the_middle_of_their_history_is_removed():
    assert row_of(registered, DisplayNameChanged(FORGOTTEN), EmailVerified()) is None


def test_a_lock_shows_until_it_is_lifted_and_a_newer_one_has_its_own_time():
    first, newer = NOON + timedelta(minutes=15), NOON + timedelta(minutes=30)
    row = row_of(registered, EmailVerified(), UserLocked(first), UserLocked(newer))
    assert (row.status, row.locked_until) == ("locked", newer)
    row = row_of(registered, EmailVerified(), UserLocked(first), UserUnlocked())
    assert (row.status, row.locked_until) == ("active", None)


def test_was_never_seen_before_a_session_began():
    assert row_of(registered, EmailVerified()).last_seen_at is None


def test_shows_when_a_session_began_or_went_on_and_neither_is_a_change_of_the_user():
    before = row_of(registered, EmailVerified())
    session = History("session").of(SessionStarted(before.id, "password"), SessionContinued(), SessionEnded())
    began = evolve(before, session[0])
    assert began == replace(before, last_seen_at=NOON + timedelta(minutes=1))
    assert evolve(began, session[1]) == replace(before, last_seen_at=NOON + timedelta(minutes=2))


def test_a_session_of_someone_who_is_gone_brings_nobody_back():
    (started,) = History("session").of(SessionStarted(uuid7(), "password"))
    assert evolve(None, started) is None


def test_the_rows_version_is_the_streams_also_after_what_changes_nothing_else(history):
    events = history().of(registered, VerificationRequested(), EmailVerified(), AddressRegisteredAgain())
    row = None
    for recorded in events:
        row = evolve(row, recorded)
    assert row is not None
    assert row.version == 4
    assert row.updated_at == events[2].recorded_at
