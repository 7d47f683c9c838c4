"""Idempotency-Key: what makes two requests the same one."""

import re
from typing import Final

from api.bodies import JsonRequest
from api.reasons import FieldError, InvalidParameters
from commands.receipts import Stub, stub_of

__all__ = ["HEADER", "MEANING", "request_stub"]

HEADER: Final = "Idempotency-Key"
MEANING: Final = (
    "A value of your own, best a UUID, for each thing that is asked for. For 24 hours the same request with the same key "
    "is answered as it was the first time it was accepted, and is not done again."
)
_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


async def request_stub(request: JsonRequest, secret: bytes) -> Stub | None:
    """The stub of a request that has a key: by method, path, If-Match and body. Raises `InvalidParameters` for no key."""
    keys = request.headers.getall(HEADER, [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        detail = "Give one key of 1 to 255 visible ASCII characters."
        raise InvalidParameters(errors=[FieldError(parameter=HEADER, detail=detail)])
    caller = request.user
    asked = b"\0".join(("\n".join(request.headers.getall("If-Match", [])).encode("latin-1"), await request.body()))
    route = f"{request.method} {request.scope['path']}"
    return stub_of(secret, None if caller is None else caller.user_id, route, keys[0], asked)
