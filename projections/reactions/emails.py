"""Which mails are written about what, as messages; what each of them says stands in `mails`."""

from collections.abc import Iterator, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Final

from email_validator import validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from msgspec import Struct

from commands.user import NOBODY, User, before, fold
from events.event import Event, Recorded
from events.invitation import STREAM_TYPE as INVITATION
from events.user import STREAM_TYPE
from projections.reactions.deliveries import Delivery
from projections.reactions.mails import MAILS, SLOTS, Letter, Links, Obsolete, Owed
from projections.reactions.reaction import Reaction

__all__ = ["EMAILS", "Emails", "Obsolete"]

EMAILS: Final = Reaction("emails", SLOTS)

_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


class Emails(Struct, frozen=True):
    """Writes mails in the name of a sender, with links as `links` makes them."""

    sender: str
    links: Links

    def write(self, delivery: Delivery, history: Sequence[Recorded[Event]]) -> EmailMessage:
        """The mail of a delivery to a user with this history. Raises `Obsolete` when it should not be sent any more.

        The history is that of the user's stream, and what is answered where it stands in another.

        Names that people gave themselves are left out: whoever registers somebody else's address must not get to write
        to them through us. What is left is plain ASCII, so that links arrive on one line.
        """
        place = next((place for place, event in enumerate(history) if event.position == delivery.position), None)
        if place is not None and history[place].stream_type == INVITATION:  # to somebody who is no user yet
            letter = MAILS[delivery.slot].write(self.links, Owed(NOBODY, NOBODY, history[place], delivery.now))
            return self._message(delivery, letter)
        user = fold(_own(history))
        if place is None or not user.active or not isinstance(user.email, str) or user.service:
            raise Obsolete("The account is gone.")
        owed = Owed(user, _before(history, place), history[place], delivery.now)
        mail = MAILS[delivery.slot]
        if mail.about is not None and not owed.before.may_be_mailed(mail.about, owed.answered.recorded_at):
            raise Obsolete("The address was written to often enough in the hour before.")
        return self._message(delivery, mail.write(self.links, owed))

    def _message(self, delivery: Delivery, letter: Letter) -> EmailMessage:
        name, address = parseaddr(self.sender)
        to = validate_email(letter.to, check_deliverability=False, test_environment=True)
        # Domains travel in their ASCII form; only a local part beyond ASCII needs a server that speaks SMTPUTF8 (RFC 6531).
        message = EmailMessage(policy=SMTP if to.local_part.isascii() else SMTPUTF8)
        message["From"] = Address(name, addr_spec=address)
        message["To"] = Address(username=to.local_part, domain=to.ascii_domain)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(delivery.now)
        message["Message-ID"] = f"<{delivery.id}@{address.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        values = {**letter.values, "base_url": self.links.base_url, "subject": letter.subject}
        for kind, add in (("txt", message.set_content), ("html", message.add_alternative)):
            text = _templates.get_template(f"{delivery.slot}.{kind}").render(values)
            add(text, subtype="plain" if kind == "txt" else kind, charset="us-ascii", cte="7bit")
        return message


def _before(history: Sequence[Recorded[Event]], place: int) -> User:
    """The user before an event of their own stream, or of another of theirs."""
    own = list(_own(history[: place + 1]))
    return before(own, len(own) - 1) if history[place].stream_type == STREAM_TYPE else fold(own)


def _own(history: Sequence[Recorded[Event]]) -> Iterator[Recorded[Event]]:
    return (event for event in history if event.stream_type == STREAM_TYPE)
