"""Which mails are written to whom, about what. Made at the moment of sending, from the user's history in the log."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from email_validator import validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from msgspec import Struct

from commands.links import VERIFY_EMAIL, link_token
from commands.user import User, fold
from events.event import Event, Recorded
from events.user import AddressRegisteredAgain, UserRegistered, VerificationRequested
from projections.reactions.deliveries import Delivery
from projections.reactions.reaction import Reaction

__all__ = ["EMAILS", "Emails", "Obsolete"]

VERIFICATION: Final = "verification"
REGISTERED_AGAIN: Final = "registered-again"

EMAILS: Final = Reaction(
    "emails",
    {
        UserRegistered: VERIFICATION,
        VerificationRequested: VERIFICATION,
        AddressRegisteredAgain: REGISTERED_AGAIN,
    },
)

_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


class Obsolete(Exception):
    """What the mail would say is true no longer, or of no use to anyone any more."""


class Emails(Struct, frozen=True):
    """Writes mails: the sender, the address that links lead to, the key that signs them and how long they are valid."""

    sender: str
    base_url: str
    links_key: bytes
    verification_hours: int

    def write(self, delivery: Delivery, history: Sequence[Recorded[Event]]) -> EmailMessage:
        """The mail of a delivery to a user with this history. Raises `Obsolete` when it should not be sent any more.

        Names that people gave themselves are left out: whoever registers somebody else's address must not get to write
        to them through us. What is left is plain ASCII, so that links arrive on one line.
        """
        user = fold(history)
        place = next((place for place, event in enumerate(history) if event.position == delivery.position), None)
        if place is None or not user.active or not isinstance(user.email, str):
            raise Obsolete("The account is gone.")
        answered = history[place]
        if not fold(history[:place]).may_be_mailed(answered.recorded_at):
            raise Obsolete("The address was written to often enough in the hour before.")
        subject, values = _MAILS[delivery.slot](self, delivery, user, answered)
        return self._message(delivery, user.email, subject, values)

    def _message(self, delivery: Delivery, email: str, subject: str, values: dict[str, Any]) -> EmailMessage:
        name, address = parseaddr(self.sender)
        to = validate_email(email, check_deliverability=False, test_environment=True)
        # Domains travel in their ASCII form; only a local part beyond ASCII needs a server that speaks SMTPUTF8 (RFC 6531).
        message = EmailMessage(policy=SMTP if to.local_part.isascii() else SMTPUTF8)
        message["From"] = Address(name, addr_spec=address)
        message["To"] = Address(username=to.local_part, domain=to.ascii_domain)
        message["Subject"] = subject
        message["Date"] = format_datetime(delivery.now)
        message["Message-ID"] = f"<{delivery.id}@{address.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        values |= {"base_url": self.base_url, "subject": subject}
        for kind, add in (("txt", message.set_content), ("html", message.add_alternative)):
            text = _templates.get_template(f"{delivery.slot}.{kind}").render(values)
            add(text, subtype="plain" if kind == "txt" else kind, charset="us-ascii", cte="7bit")
        return message

    def _verification(self, delivery: Delivery, user: User, answered: Recorded[Event]) -> tuple[str, dict[str, Any]]:
        expires_at = answered.recorded_at + timedelta(hours=self.verification_hours)
        if user.email_verified:
            raise Obsolete("The address is proved.")
        if answered.version != user.verification_version:
            raise Obsolete("A newer link was asked for.")
        if delivery.now >= expires_at:
            raise Obsolete("The link has expired.")
        token = link_token(self.links_key, VERIFY_EMAIL, answered.stream_id, answered.version, expires_at)
        link = f"{self.base_url}/verify-email#{urlencode({'user': answered.stream_id, 'token': token})}"
        values = {"link": link, "token": token, "user_id": answered.stream_id, "expires_at": expires_at}
        return "Is this your address?", values

    def _registered_again(
        self, _delivery: Delivery, _user: User, _answered: Recorded[Event]
    ) -> tuple[str, dict[str, Any]]:
        return "Someone tried to register with your address", {}


_Writer = Callable[[Emails, Delivery, User, Recorded[Event]], tuple[str, dict[str, Any]]]
_MAILS: Final[dict[str, _Writer]] = {
    VERIFICATION: Emails._verification,
    REGISTERED_AGAIN: Emails._registered_again,
}
