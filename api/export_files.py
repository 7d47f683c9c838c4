"""Files that have their name only when they are whole, and tell of what they hold."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["SIDECAR", "Digested", "put_in_place", "sidecar", "unfinished"]

SIDECAR: Final = ".meta.json"


class Digested:
    """Bytes on their way to a file, counted and hashed (SHA-256) as they pass."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Pass it on."""
        self._hash.update(data)
        self.size += len(data)
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Pass on what waits."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """Of everything so far."""
        return self._hash.hexdigest()


@contextmanager
def unfinished(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file beside the path, for its owner alone to read, and where it lies; it is gone with the context unless it was put in place.

    What is left of a process that was killed ends in `.unfinished`.
    """
    descriptor, name = tempfile.mkstemp(".unfinished", f".{path.name}.", path.parent)
    try:
        with open(descriptor, "wb") as file:
            yield file, Path(name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def put_in_place(file: BinaryIO, lies: Path, path: Path) -> None:
    """Let a file have its name, once it is on the disk; what had the name before is gone."""
    file.flush()
    os.fsync(file.fileno())
    lies.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sidecar(path: Path) -> Path:
    """Where it stands what a file holds that has no room for it."""
    return path.with_name(path.name + SIDECAR)
