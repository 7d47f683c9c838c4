"""Given a user's history and a delivery, then a message that mail servers take and that says nothing it should not."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

import projections.reactions
from events.api_key import ApiKeyIssued
from events.invitation import UserInvited
from events.personal import FORGOTTEN
from events.user import (
    AddressRegisteredAgain,
    DisplayNameChanged,
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    ErasureRequested,
    ErasureWithdrawn,
    PasskeyAdded,
    PasskeyCountWentBack,
    PasskeyRemoved,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    RecoveryCodesIssued,
    RecoveryCodeUsed,
    SecondFactorRefused,
    TotpConfirmed,
    TotpRemoved,
    UserImported,
    UserLocked,
    UserRegistered,
    VerificationRequested,
)
from projections.reactions.emails import Obsolete
from projections.reactions.mails import MAILS, SLOTS
from tests.projections.reactions.letters import ADA, BASE_URL, PROVED, Asked
from tests.support import NOON

registered = PROVED[0]
changed = (EmailChangeRequested("countess@example.org"), EmailChanged("countess@example.org"))
EVERY_MAIL = [
    (registered,),
    (registered, VerificationRequested()),
    (*PROVED, AddressRegisteredAgain()),
    (*PROVED, changed[0]),
    (*PROVED, *changed),
    (*PROVED, *changed, EmailChangeUndone("ada@example.com")),
    (*PROVED, PasswordResetRequested()),
    (*PROVED, PasswordChanged()),
    (*PROVED, PasswordReset()),
    (*PROVED, UserLocked(NOON + timedelta(minutes=20))),
    (*PROVED, ErasureRequested(NOON + timedelta(days=14))),
    (*PROVED, ErasureRequested(NOON + timedelta(days=14)), ErasureWithdrawn()),
    (*PROVED, TotpConfirmed()),
    (*PROVED, TotpConfirmed(), TotpRemoved()),
    (*PROVED, TotpConfirmed(), RecoveryCodesIssued(10), RecoveryCodesIssued(10)),
    (*PROVED, TotpConfirmed(), RecoveryCodesIssued(10), RecoveryCodeUsed(9)),
    (*PROVED, TotpConfirmed(), SecondFactorRefused()),
    (*PROVED, PasskeyAdded(UUID(int=7), "My telephone")),
    (*PROVED, PasskeyAdded(UUID(int=7), "My telephone"), PasskeyRemoved(UUID(int=7))),
    (*PROVED, PasskeyAdded(UUID(int=7), "My telephone"), PasskeyCountWentBack(UUID(int=7))),
    (UserInvited("grace@example.com", (), NOON + timedelta(days=7), None, "<b>evil@x.example,"),),
    (*PROVED, ApiKeyIssued(ADA, "report", ("account:read",), NOON + timedelta(days=30))),
]


def test_every_event_that_is_answered_has_a_kind_of_mail_and_that_has_both_its_templates():
    assert set(SLOTS.values()) == MAILS.keys()
    (folder,) = projections.reactions.__path__
    files = {file.name for file in Path(folder, "templates").iterdir()}
    assert files == {f"{slot}.{kind}" for slot in MAILS for kind in ("txt", "html")}
    assert {type(events[-1]) for events in EVERY_MAIL} == SLOTS.keys(), "these tests know all of them"


@pytest.mark.parametrize("events", EVERY_MAIL)
def test_lines_are_short_ascii_and_not_encoded_so_that_links_are_not_broken(events):
    asked = Asked(*events)
    assert asked.raw.isascii()
    assert max(map(len, asked.raw.split(b"\r\n"))) < 998
    assert b"\n" not in asked.raw.replace(b"\r\n", b"")
    assert b"quoted-printable" not in asked.raw
    prose = [line for line in asked.text.splitlines() if " " in line]
    assert max(map(len, prose)) <= 78


@pytest.mark.parametrize("events", EVERY_MAIL)
def test_says_in_either_form_which_installation_it_is_about(events):
    asked = Asked(*events)
    assert BASE_URL in asked.text
    assert BASE_URL in asked.html
    assert f"<title>{asked.mail['Subject']}</title>" in asked.html


def test_says_who_sends_it_to_whom_when_and_that_nobody_need_answer():
    asked = Asked(registered, hours=1)
    mail = asked.mail
    assert mail["From"] == "Muster <no-reply@muster.example>"
    assert mail["To"] == "ada@example.com"
    assert mail["Message-ID"] == f"<{asked.delivery.id}@muster.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOON + timedelta(hours=1)


def test_nobody_is_written_to_for_having_been_imported_but_whoever_asks_for_the_link_is():
    imported = UserImported("ada@example.com", email_verified=False)
    assert type(imported) not in SLOTS
    asked = Asked(imported, VerificationRequested())
    assert asked.mail["To"] == "ada@example.com"
    assert "verify-email#" in asked.text


def test_nothing_is_sent_to_who_was_forgotten():
    with pytest.raises(Obsolete, match="gone"):
        _ = Asked(UserRegistered(FORGOTTEN, FORGOTTEN)).mail


def test_nothing_is_sent_about_an_event_that_is_not_there():
    asked = Asked(registered)
    asked.events.clear()
    with pytest.raises(Obsolete, match="gone"):
        _ = asked.mail


def test_a_change_of_name_in_between_hinders_nothing():
    assert Asked(registered, DisplayNameChanged("Countess"), answer=1).mail["To"] == "ada@example.com"


NAMES = [
    "evil@x.example,",
    "a\r\nBcc: evil@x.example",
    "a\nb",
    "Eve <evil@x.example>",
    "\u2028\u202e\u0300" * 1000,
    "{{ 7 * 7 }}{% raise %}",
    "<script>alert(1)</script>",
    "Click https://evil.example to win",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("events", EVERY_MAIL)
def test_a_name_reaches_neither_headers_nor_text(events, name):
    named, nameless = Asked(replace(events[0], display_name=name), *events[1:]), Asked(*events)
    assert len(named.mail["To"].addresses) == 1
    for header in ("From", "To", "Subject", "Bcc", "Reply-To"):
        assert named.mail[header] == nameless.mail[header]
    assert (named.text, named.html) == (nameless.text, nameless.html)


@pytest.mark.parametrize(
    ("address", "header"),
    [
        ("o'neil+tag@example.com", "o'neil+tag@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("x" * 64 + "@example.com", "x" * 64 + "@example.com"),
    ],
)
@pytest.mark.parametrize("before", [(), PROVED])
def test_writes_to_addresses_as_mail_servers_take_them(before, address, header):
    raw = Asked(*before, EmailChangeRequested(address) if before else UserRegistered(address)).raw
    assert header.encode() in raw
    assert b"=?" not in raw.partition(b"Subject:")[0]


@pytest.mark.parametrize("address", ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", '"a b"@x.example'])
@pytest.mark.parametrize("before", [(), PROVED])
def test_an_address_that_could_be_more_than_one_is_not_written_to(before, address):
    with pytest.raises(ValueError, match=r"address|email|@"):
        _ = Asked(*before, EmailChangeRequested(address) if before else UserRegistered(address)).mail
