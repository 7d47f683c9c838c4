"""Processes that tests start, and that end with the test run, whatever ends that."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

from api.processes import LIFELINE, Account, _lifeline

__all__ = ["OURS", "started"]


OURS: Final = Account(-1, -1)


def started(
    arguments: Sequence[str], orphan: signal.Signals = signal.SIGKILL, account: Account = OURS, **options: Any
) -> subprocess.Popen[bytes]:
    """A process, sent the signal `orphan` when this one has ended; the program by its path. From the main thread only."""
    pipe = _lifeline()
    tie = (sys.executable, "-I", "-S", str(LIFELINE), *map(str, (os.getpid(), int(orphan), *account, pipe)))
    child: subprocess.Popen[bytes] = subprocess.Popen([*tie, *arguments], pass_fds=(pipe,), **options)
    return child
