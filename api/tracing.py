"""Request ids and W3C trace contexts: believed when they are well-formed, made when not."""

import os
import re
from typing import Final

__all__ = ["Trace", "trace"]

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._~:+/=-]{1,128}")
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?"
)

Trace = tuple[str, str]
"""The request's id, and the traceparent of our part in it."""


def trace(request_id: bytes | None, traceparent: bytes | None) -> Trace:
    """The id and the traceparent that an answer carries, for the ones that came in."""
    fresh = os.urandom(40).hex()
    number = request_id.decode() if request_id is not None and _REQUEST_ID.fullmatch(request_id) else fresh[:32]
    if traceparent is not None and (found := _TRACEPARENT.fullmatch(traceparent)):
        # https://www.w3.org/TR/trace-context/: the same trace, our own span, the caller's flags.
        return number, f"00-{found[1].decode()}-{fresh[32:48]}-{found[2].decode()}"
    return number, f"00-{fresh[48:]}-{fresh[32:48]}-00"
