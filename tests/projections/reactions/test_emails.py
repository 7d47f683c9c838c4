"""Given a user's history and a delivery, then a mail, or none."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import SMTP
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from commands.links import VERIFY_EMAIL, Link, read_link
from events.personal import FORGOTTEN
from events.user import (
    AddressRegisteredAgain,
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    UserRegistered,
    VerificationRequested,
)
from projections.reactions.deliveries import Delivery
from projections.reactions.emails import Emails, Obsolete
from projections.reactions.mails import Links
from tests.support import NOON, History

KEY = b"the key of links, thirty-two byt"
emails = Emails("Muster <no-reply@muster.example>", Links("https://muster.example", KEY))
registered = UserRegistered("ada@example.com", "Ada")


class Asked:
    def __init__(self, *events, answer=1, slot="verification", hours=0.0):
        self.history = History()
        position = answer
        self.delivery = Delivery(
            uuid4(), position, "emails", slot, self.history.stream_id, 1, NOON + timedelta(hours=hours)
        )
        self.events = self.history.of(*events)

    @property
    def mail(self):
        """The mail as it arrives."""
        return message_from_bytes(emails.write(self.delivery, self.events).as_bytes(), policy=SMTP)


def test_a_registration_is_answered_with_a_link_that_proves_the_address():
    asked = Asked(registered)
    text = asked.mail.get_body(["plain"]).get_content().splitlines()
    (link,) = [line for line in text if line.startswith("https://")]
    address, _, fragment = link.partition("#")
    user, _, token = fragment.removeprefix("user=").partition("&token=")
    assert address == "https://muster.example/verify-email"
    assert user == str(asked.history.stream_id)
    assert token in text, "the bare token stands on a line of its own"
    assert read_link(KEY, VERIFY_EMAIL, token, NOON) == Link(asked.history.stream_id, 1)
    html = asked.mail.get_body(["html"]).get_content()
    assert link.replace("&", "&amp;") in html


def test_each_request_is_answered_with_a_link_of_its_own():
    asked = Asked(registered, VerificationRequested(), answer=2)
    text = asked.mail.get_body(["plain"]).get_content()
    token = text.partition("&token=")[2].split()[0]
    assert read_link(KEY, VERIFY_EMAIL, token, NOON).version == 2


def test_says_who_sends_it_to_whom_when_and_that_nobody_need_answer():
    asked = Asked(registered, hours=1)
    mail = asked.mail
    assert mail["From"] == "Muster <no-reply@muster.example>"
    assert mail["To"] == "ada@example.com"
    assert mail["Message-ID"] == f"<{asked.delivery.id}@muster.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOON + timedelta(hours=1)


def test_the_owner_of_a_taken_address_is_told_without_a_link_to_act_upon():
    asked = Asked(registered, EmailVerified(), AddressRegisteredAgain(), answer=3, slot="registered-again")
    mail = asked.mail
    assert mail["Subject"] == "Someone tried to register with your address"
    assert "token" not in mail.as_string()


@pytest.mark.parametrize(
    ("events", "hours", "reason"),
    [
        ([registered, EmailVerified()], 0, "proved"),
        ([registered, VerificationRequested()], 0, "newer"),
        ([registered, RegistrationSuperseded(uuid7())], 0, "gone"),
        ([UserRegistered(FORGOTTEN, FORGOTTEN)], 0, "gone"),
        ([registered], 73, "expired"),
        ([], 0, "gone"),
    ],
)
def test_what_makes_no_sense_any_more_is_not_sent(events, hours, reason):
    asked = Asked(*events, hours=hours)
    with pytest.raises(Obsolete, match=reason):
        emails.write(asked.delivery, asked.events)


def test_a_change_of_name_in_between_hinders_nothing():
    assert Asked(registered, DisplayNameChanged("Countess")).mail["To"] == "ada@example.com"


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
def test_a_name_reaches_neither_headers_nor_text(name):
    mail = Asked(UserRegistered("ada@example.com", name)).mail
    assert [(address.username, address.domain) for address in mail["To"].addresses] == [("ada", "example.com")]
    assert mail["Bcc"] is None
    assert mail.as_string().isascii()
    assert "evil" not in mail.as_string()
    assert "49" not in mail.get_body(["plain"]).get_content().partition("http")[0]


@pytest.mark.parametrize(
    ("address", "header"),
    [
        ("o'neil+tag@example.com", "o'neil+tag@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("x" * 64 + "@example.com", "x" * 64 + "@example.com"),
    ],
)
def test_writes_to_addresses_as_mail_servers_take_them(address, header):
    raw = emails.write(*_delivery_of(UserRegistered(address))).as_bytes()
    assert header.encode() in raw
    assert b"=?" not in raw.partition(b"Subject:")[0]


@pytest.mark.parametrize("address", ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", '"a b"@x.example'])
def test_an_address_that_could_be_more_than_one_is_not_written_to(address):
    with pytest.raises(ValueError, match=r"address|email|@"):
        emails.write(*_delivery_of(UserRegistered(address)))


def _delivery_of(event):
    asked = Asked(event)
    return asked.delivery, asked.events


def test_lines_are_short_enough_and_links_are_not_broken():
    raw = emails.write(*_delivery_of(registered)).as_bytes()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"quoted-printable" not in raw


def test_the_owner_of_an_address_is_written_to_five_times_an_hour_at_most():
    proved_and_tried = (registered, EmailVerified(), *[AddressRegisteredAgain()] * 8)
    for answer in (3, 7):
        assert Asked(*proved_and_tried, answer=answer, slot="registered-again").mail["To"] == "ada@example.com"
    for answer in (8, 10):
        with pytest.raises(Obsolete, match="often enough"):
            _ = Asked(*proved_and_tried, answer=answer, slot="registered-again").mail
