"""Two pages for people who follow a link: nothing happens before they press the button, so no scanner spends a link."""

import base64
import hashlib
from importlib.resources import files
from typing import Final

from litestar import Controller, MediaType, Response, get

__all__ = ["Pages"]

_VERIFY_EMAIL: Final = """\
<h1>Is this your address?</h1>
<form id="verify-email"><button>Yes, it is mine</button></form>
"""
_SIGN_UP: Final = """\
<h1>Become the first administrator</h1>
<form id="sign-up">
<label>Address <input name="email" type="email" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="new-password" minlength="12" required></label>
<label>Name, if you like <input name="display_name" autocomplete="name" maxlength="100"></label>
<button>Sign up</button></form>
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


class _Page:
    """A page in one piece, and the policy that lets a browser do what is in it and nothing else."""

    def __init__(self, title: str, body: str) -> None:
        style, script = (files("api").joinpath("static", name).read_text("utf-8") for name in ("page.css", "page.js"))
        self.html = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
            f"<title>{title}</title><style>{style}</style></head><body>\n{body}"
            '<p role="status"></p><noscript><p>This page needs JavaScript.</p></noscript>'
            f"<script>{script}</script></body></html>\n"
        ).encode()
        self.headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": (
                f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
        }

    def answer(self) -> Response[bytes]:
        return Response(self.html, media_type=MediaType.HTML, headers=self.headers)


_verify_email: Final = _Page("Prove your address", _VERIFY_EMAIL)
_sign_up: Final = _Page("First administrator", _SIGN_UP)


class Pages(Controller):
    """They are no part of the API, only of the links that it makes."""

    include_in_schema = False

    @get("/verify-email", sync_to_thread=False)
    def verify_email(self) -> Response[bytes]:
        """Where the link that proves an address leads."""
        return _verify_email.answer()

    @get("/sign-up", sync_to_thread=False)
    def sign_up(self) -> Response[bytes]:
        """Where the operator's link leads."""
        return _sign_up.answer()
