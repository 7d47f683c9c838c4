"""Given a user's history and a delivery, then a mail: what tests of mails read it with."""

import sys
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from msgspec.structs import replace

from events.event import Event
from events.user import EmailVerified, UserRegistered
from projections.reactions.deliveries import Delivery
from projections.reactions.emails import Emails
from projections.reactions.mails import SLOTS, Links
from tests.support import NOON, History

__all__ = ["ADA", "BASE_URL", "KEY", "PROVED", "Asked", "emails"]

ADA: Final = UUID("01a20f61-7638-70c5-93d4-623c7c9afcbc")
BASE_URL: Final = "https://muster.example"
KEY: Final = b"the key of links, thirty-two byt"
PROVED: Final = (UserRegistered("ada@example.com", "Ada"), EmailVerified())
emails: Final = Emails("Muster <no-reply@muster.example>", Links(BASE_URL, KEY))


def _stream_type(event: Event) -> str:
    """That of the module in which all facts of such a stream stand."""
    kind: str = sys.modules[type(event).__module__].STREAM_TYPE
    return kind


class Asked:
    """The mail that is owed for an event in Ada's life: for the last one unless another is named.

    It is written at once, or so long after noon.
    """

    def __init__(self, *events: Event, answer: int = 0, **after: float) -> None:
        history = History(stream_id=ADA).of(*events)
        self.events = [replace(event, stream_type=_stream_type(event.event)) for event in history]
        answered = self.events[answer - 1]
        slot = SLOTS[type(answered.event)]
        now = NOON + timedelta(**after) if after else self.events[-1].recorded_at
        self.delivery = Delivery(uuid4(), answered.position, "emails", slot, ADA, 1, now)

    @cached_property
    def raw(self) -> bytes:
        """The mail as it is handed in."""
        return emails.write(self.delivery, self.events).as_bytes()

    @cached_property
    def mail(self) -> EmailMessage:
        """The mail as it arrives."""
        arrived: Any = message_from_bytes(self.raw, policy=SMTP)
        assert isinstance(arrived, EmailMessage)
        return arrived

    @property
    def text(self) -> str:
        """What it says to whoever reads no HTML."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """What it says to everybody else."""
        return self._body("html")

    def _body(self, kind: str) -> str:
        part = self.mail.get_body((kind,))
        assert part is not None
        said: str = part.get_content()
        return said

    def token(self, page: str) -> str:
        """The token of the one link in it, which leads to this page; it stands on a line of its own as well."""
        lines = self.text.splitlines()
        (link,) = [line for line in lines if line.startswith("https://")]
        assert f'href="{link.replace("&", "&amp;")}"' in self.html
        parts = urlsplit(link)
        assert link.startswith(f"{BASE_URL}/{page}#"), link
        given = parse_qs(parts.fragment)
        assert given["user"] == [str(ADA)]
        (token,) = given["token"]
        assert token in lines
        return token
