"""The mail that `muster up` keeps instead of delivering it: what of it went to someone is taken away when they are erased."""

from collections.abc import Collection
from mailbox import Maildir
from pathlib import Path

from api.mailcatcher import message_id

__all__ = ["take_away"]


def take_away(folder: Path, deliveries: Collection[str], addresses: Collection[str]) -> int:
    """Delete the mails of these deliveries, by their ids, and whatever else went to these addresses; how many there were.

    Safe to repeat, and while mail comes in.
    """
    if not (folder / "new").is_dir():
        return 0
    maildir = Maildir(folder, create=False)
    taken = 0
    for key in list(maildir.iterkeys()):
        try:
            raw = maildir.get_bytes(key)
        except KeyError:  # somebody else took it away
            continue
        identity = (message_id(raw) or b"").decode("ascii", "replace").strip("<>").partition("@")[0]
        head = raw.partition(b"\n\n")[0].decode("utf-8", "replace").lower()
        if identity in deliveries or any(address in head for address in addresses):
            maildir.discard(key)
            taken += 1
    return taken
