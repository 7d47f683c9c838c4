"""A real SMTP server that delivers nothing and keeps every message in a Maildir, for people and tests to read.

`python -m api.mailcatcher --port 2525 MAILDIR`. It takes mail for any address from anyone who can reach it, so it listens
on the loopback address unless told otherwise.

A message whose Message-ID is in the Maildir already is accepted with 250 and kept once, as mailbox servers do (RFC 7352
describes the idea): a sender that could not see the first 250 has to send again, and whoever reads the mail should not
notice. Messages without a Message-ID are all kept. What is known is read from the Maildir itself when the server starts,
so a restart forgets nothing, and a message that was deleted there is kept when it comes again.
"""

import argparse
import asyncio
import re
import signal
from mailbox import Maildir
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["Mailbox"]

MESSAGE_ID = re.compile(rb"^message-id:\s*(\S[^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def message_id(message: bytes) -> bytes | None:
    """The Message-ID in the message's header, or None."""
    header = re.split(rb"\r?\n\r?\n", message, maxsplit=1)[0]
    found = MESSAGE_ID.search(header)
    return found[1].strip() if found else None


class Mailbox:
    """A Maildir that keeps one message of each Message-ID."""

    def __init__(self, folder: Path) -> None:
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._maildir = Maildir(folder)
        self._maildir.clean()
        self._kept: dict[bytes, str] = {}
        for key in self._maildir.iterkeys():
            with self._maildir.get_file(key) as file:
                if identity := message_id(file.read(65_536)):
                    self._kept[identity] = key

    def keep(self, message: bytes) -> bool:
        """Whether the message was new and is now kept: written to the end, flushed to disk and only then visible."""
        identity = message_id(message)
        if identity and (key := self._kept.get(identity)) and key in self._maildir:
            return False
        key = self._maildir.add(message.replace(b"\r\n", b"\n"))
        if identity:
            self._kept[identity] = key
        return True


class Catcher:
    """Answers the SMTP server's question what to do with a message."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - aiosmtpd calls it so
        """Keep the message under the addresses of its envelope, as a delivering server writes them."""
        content = envelope.content
        assert isinstance(content, bytes)
        addresses = [f"Return-Path: <{envelope.mail_from or ''}>", *(f"Delivered-To: {to}" for to in envelope.rcpt_tos)]
        traced = "".join(f"{address}\r\n" for address in addresses).encode("utf-8", "surrogateescape")
        try:
            new = self._mailbox.keep(traced + content)
        except OSError as error:
            return f"452 4.3.1 The mail cannot be kept: {error.strerror}"
        return "250 2.0.0 Kept" if new else "250 2.0.0 Kept already"


async def serve(mailbox: Mailbox, host: str, port: int) -> None:
    """Take mail until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    catcher = Catcher(mailbox)
    server = await loop.create_server(
        lambda: SMTP(catcher, hostname="localhost", ident="Muster mail catcher", enable_SMTPUTF8=True, loop=loop),
        host,
        port,
    )
    await asked.wait()
    server.close()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m api.mailcatcher", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("maildir", type=Path, help="where mail is kept; made when it is not there")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=2525, help="the port to listen on (%(default)s)")
    told = parser.parse_args()
    asyncio.run(serve(Mailbox(told.maildir), told.host, told.port))


if __name__ == "__main__":
    main()
