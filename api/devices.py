"""The cookie by which a device that has signed in is known again, so that strangers' failures do not shut it out.

It opens nothing, which is why it needs no protection against forged requests.
"""

from typing import Final

from litestar.datastructures import Cookie

from api.asking import runtime_of
from api.bodies import JsonRequest

__all__ = ["device_cookie", "device_token_of"]

NAME: Final = "muster_device"
PATH: Final = "/v1/sessions"
KEPT_SECONDS: Final = 365 * 24 * 3600
MOST_CHARACTERS: Final = 128


def device_token_of(request: JsonRequest) -> str | None:
    """What the device shows, if anything."""
    token = request.cookies.get(NAME)
    return token if token and len(token) <= MOST_CHARACTERS else None


def device_cookie(request: JsonRequest, token: str) -> Cookie:
    """What the device is to keep, and to show at signing in only."""
    return Cookie(
        NAME,
        path=PATH,
        value=token,
        max_age=KEPT_SECONDS,
        httponly=True,
        samesite="strict",
        secure=runtime_of(request).base_url.startswith("https:"),
    )
