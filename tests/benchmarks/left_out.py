"""Parts that can be taken out of an API process, so that the cost ledger tells what each takes."""

from collections.abc import Iterable
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import api.asking
import api.requests
import api.server
import events.keys
from api.metrics import Metrics
from commands.unit import Unit

__all__ = ["PARTS", "leave_out"]


class _Unsealed:
    """Leaves in clear what it should seal, and opens what was sealed before."""

    MARK: Final = bytes(16)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, _nonce: bytes, plain: bytes, _place: bytes) -> bytes:
        return plain + self.MARK

    def decrypt(self, nonce: bytes, box: bytes, place: bytes) -> bytes:
        return box[:-16] if box.endswith(self.MARK) else AESGCM(self._key).decrypt(nonce, box, place)


def _nothing(*_given: Any) -> Any:
    return None


async def _nobody(*_given: Any) -> None:
    return None


def _no_headers(_https: bool) -> list[tuple[bytes, bytes]]:
    return []


PARTS: Final[dict[str, tuple[tuple[Any, str, Any], ...]]] = {
    "metrics": ((Metrics, "request", _nothing), (Metrics, "command", _nothing), (Metrics, "commit", _nothing)),
    "sealing": ((events.keys, "AESGCM", _Unsealed),),
    "claims": ((Unit, "owner", _nobody), (Unit, "claim", lambda *_given, **_named: None)),
    "whence": ((api.asking, "Client", _nothing),),
    "security headers": ((api.requests, "_security_headers", _no_headers),),
    "deadlines": ((api.server, "PunctualProtocol", HttpToolsProtocol),),
}
"""What stands in for what, by the name of the part."""


def leave_out(names: Iterable[str]) -> None:
    """Take these parts out of this process, before it makes its application."""
    for name in names:
        for owner, attribute, stand_in in PARTS[name]:
            setattr(owner, attribute, stand_in)
