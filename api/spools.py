"""Answers of any length that are told once all of them is known: kept on disk, compressed, and not in memory."""

import tempfile
import zlib
from collections.abc import AsyncIterator
from typing import Final

__all__ = ["Spool"]

IN_MEMORY_BYTES: Final = 256 * 1024
AT_ONCE_BYTES: Final = 16 * 1024
FASTEST: Final = 1


class Spool:
    """Takes bytes, and then gives them again, once. It leaves no file behind, whatever becomes of the process."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - `close` closes it
        self._packer = zlib.compressobj(FASTEST)

    def write(self, data: bytes) -> None:
        """Take more."""
        self._file.write(self._packer.compress(data))

    async def chunks(self) -> AsyncIterator[bytes]:
        """All that was taken. Then there is nothing any more."""
        try:
            self._file.write(self._packer.flush())
            self._file.seek(0)
            unpacker = zlib.decompressobj()
            while packed := self._file.read(AT_ONCE_BYTES):
                yield unpacker.decompress(packed)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
