"""Idempotency-Key: what makes two requests the same one."""

import re
from typing import Final
from uuid import UUID

from api.bodies import JsonRequest
from api.reasons import FieldError, InvalidParameters
from commands.receipts import IdempotentRequest, idempotent_request

__all__ = ["HEADER", "MEANING", "asked_once"]

HEADER: Final = "Idempotency-Key"
_NAME: Final = HEADER.lower().encode()
MEANING: Final = (
    "A value of your own, best a UUID, for each thing that is asked for. For 24 hours the same request with the same key "
    "is answered as it was the first time it was accepted, and is not done again."
)
_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


async def asked_once(request: JsonRequest, secret: bytes) -> IdempotentRequest | None:
    """What a request with a key is known by: method, path, If-Match and body; None without a key.

    An id in the path is the same however it is spelt. Raises `InvalidParameters` for what is no key.
    """
    keys = request.header(_NAME)
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        detail = "Give one key of 1 to 255 visible ASCII characters."
        raise InvalidParameters(errors=[FieldError(parameter=HEADER, detail=detail)])
    asker = None if request.user is None else request.user.key_id or request.user.user_id
    asked = b"\0".join(("\n".join(request.header(b"if-match")).encode("latin-1"), await request.body()))
    path = "/".join(map(_plain, request.scope["path"].split("/")))
    return idempotent_request(secret, asker, f"{request.method} {path}", keys[0], asked)


def _plain(segment: str) -> str:
    """An id as we write ids, in whichever of the spellings it came that the routes take; anything else as it is."""
    try:
        return str(UUID(segment))
    except ValueError:
        return segment
