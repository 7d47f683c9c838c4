"""Handing mail in to a mail server, and what it said when it did not take it."""

import asyncio
import re
import socket
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

__all__ = ["MailRefused", "MailServer", "MailServerAway"]

CONNECT_SECONDS: Final = 10.0
ATTEMPT_SECONDS: Final = 30.0
_ENHANCED_CODE: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class MailServerAway(Exception):
    """No conversation could be begun, so nothing was attempted."""


class MailRefused(Exception):
    """The mail was not taken, or it is not known whether it was. Says why in numbers: servers quote addresses."""


class MailServer:
    """Where mail is handed in, as a URL tells it; each `connect` is one conversation for many mails."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (465 if self._tls else 587 if parts.username else 25)
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    async def connect(self) -> "Conversation":
        """Connect, encrypt when that is offered, and sign in. Raises `MailServerAway`."""
        smtp = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._tls,
            local_hostname=socket.gethostname(),  # the usual question for a full name can wait on DNS for seconds
            timeout=CONNECT_SECONDS,
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await smtp.connect()
        except (OSError, aiosmtplib.SMTPException) as error:
            raise MailServerAway(_said(error)) from None
        return Conversation(smtp)


class Conversation:
    """A connection to the mail server, over which one mail goes after another."""

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        self._smtp = smtp

    @property
    def open(self) -> bool:
        """Whether another mail can be handed in."""
        return self._smtp.is_connected

    async def hand_in(self, message: EmailMessage) -> None:
        """Return once the server has taken the mail for its one recipient. Raises `MailRefused`, within half a minute."""
        (sender,) = message["From"].addresses
        (recipient,) = message["To"].addresses
        options = ["SMTPUTF8", "BODY=8BITMIME"] if message.policy is SMTPUTF8 else []
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await self._smtp.sendmail(
                    sender.addr_spec, [recipient.addr_spec], message.as_bytes(), mail_options=options
                )
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
            raise MailRefused(_said(error)) from None
        except BaseException as error:
            self._smtp.close()  # nobody knows what the server would make of another word
            if isinstance(error, OSError | aiosmtplib.SMTPException):
                raise MailRefused(_said(error)) from None
            raise

    async def end(self) -> None:
        """Say goodbye, if anyone is there."""
        if not self.open:
            return
        try:
            async with asyncio.timeout(1):
                await self._smtp.quit()
        except (OSError, aiosmtplib.SMTPException):
            self._smtp.close()


def _said(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        enhanced = _ENHANCED_CODE.match(error.message.strip())
        return f"The mail server answered {error.code}{f' {enhanced[0]}' if enhanced else ''}."
    if isinstance(error, TimeoutError):
        return "The mail server did not answer in time."
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return "The mail server does not take addresses beyond ASCII (SMTPUTF8)."
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "The mail server hung up."
    return f"The mail server cannot be reached ({type(error).__name__})."
