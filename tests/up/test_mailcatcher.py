"""The mail server that keeps mail to be read."""

import mailbox
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.mailcatcher import Mailbox, message_id
from api.ports import free_port
from tests.up.processes import until


@pytest.mark.parametrize(
    "message",
    [
        b"Message-ID: <a@b>\r\n\r\nText",
        b"Subject: x\r\nmessage-id:<a@b>\r\n\r\nText",
        b"Message-Id:\r\n <a@b>  \r\nSubject: x\r\n\r\nText",
        b"Subject: x\nMESSAGE-ID: <a@b>\n\nText",
    ],
)
def test_finds_the_message_id(message: bytes) -> None:
    assert message_id(message) == b"<a@b>"


@pytest.mark.parametrize(
    "message", [b"", b"Subject: x\r\n\r\nMessage-ID: <in@body>\r\n", b"X-Message-ID: <a@b>\r\n\r\n"]
)
def test_finds_none_where_there_is_none(message: bytes) -> None:
    assert message_id(message) is None


def test_keeps_a_message_once(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mail")
    assert box.keep(b"Message-ID: <a@b>\r\n\r\nText\r\n")
    assert not box.keep(b"Message-ID: <a@b>\r\n\r\nText\r\n")
    assert box.keep(b"Message-ID: <c@d>\r\n\r\nText\r\n")
    assert len(list((tmp_path / "mail" / "new").iterdir())) == 2


def test_keeps_every_message_without_an_id(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    assert box.keep(b"Subject: a\r\n\r\n")
    assert box.keep(b"Subject: a\r\n\r\n")


def test_knows_after_a_restart_what_was_kept_and_read(tmp_path: Path) -> None:
    Mailbox(tmp_path).keep(b"Message-ID: <new@b>\r\n\r\n")
    Mailbox(tmp_path).keep(b"Message-ID: <read@b>\r\n\r\n")
    maildir = mailbox.Maildir(tmp_path, create=False)
    key = next(key for key, message in maildir.iteritems() if message["Message-ID"] == "<read@b>")
    maildir.lock()
    message = maildir[key]
    message.set_subdir("cur")
    message.add_flag("S")
    maildir[key] = message
    again = Mailbox(tmp_path)
    assert not again.keep(b"Message-ID: <new@b>\r\n\r\n")
    assert not again.keep(b"Message-ID: <read@b>\r\n\r\n")


def test_keeps_again_what_was_deleted(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.keep(b"Message-ID: <a@b>\r\n\r\n")
    for file in (tmp_path / "new").iterdir():
        file.unlink()
    assert box.keep(b"Message-ID: <a@b>\r\n\r\n")


@contextmanager
def served(folder: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-P", "-m", "api.mailcatcher", "--port", str(port), str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:

        def answers() -> bool:
            try:
                smtplib.SMTP("127.0.0.1", port, timeout=5).quit()
            except OSError:
                return False
            return True

        until(answers, "the server answers")
        yield port
        server.terminate()
        _, errors = server.communicate(timeout=10)
        assert (server.returncode, errors) == (0, "")


def test_serves_smtp_and_writes_a_maildir(tmp_path: Path) -> None:
    message = "Message-ID: <1@b>\r\nSubject: Zoë\r\n\r\nA line\r\n.dot\r\n".encode()
    for _ in range(2):  # the second after a restart
        with served(tmp_path / "mail") as port, smtplib.SMTP("127.0.0.1", port, timeout=5) as smtp:
            smtp.ehlo()
            assert smtp.has_extn("smtputf8")
            smtp.mail("me@example.org", ["SMTPUTF8"])
            smtp.rcpt("zoë@example.org".encode().decode("latin-1"))
            assert smtp.data(message)[0] == 250
    (kept,) = mailbox.Maildir(tmp_path / "mail", create=False)
    assert kept["Message-ID"] == "<1@b>"
    assert kept["Return-Path"] == "<me@example.org>"
    assert kept.get_payload() == "A line\n.dot\n"
