"""Where a server keeps its files that nobody needs after the test run: in memory, where the machine offers that."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["passing_folder"]

IN_MEMORY: Final = Path("/dev/shm")
ROOM: Final = 2 * 2**30
"""Bytes; a test run's databases take a tenth of it, and containers often offer 64 MiB."""


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A folder that is removed with the context.

    Databases are made and dropped by the thousand: on a disk, their files cost more than what is asked of them.
    """
    usable = os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM
    with tempfile.TemporaryDirectory(prefix="muster-", dir=IN_MEMORY if usable else None) as folder:
        yield Path(folder)
