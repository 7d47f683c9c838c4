"""Pages for people who follow a link: nothing happens before they press the button, so no scanner spends a link."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Final

from litestar import Controller, MediaType, Response, get
from msgspec import Struct

from api.bodies import JsonRequest

__all__ = ["Pages"]


class _Page(Struct, frozen=True):
    """What a page asks, what its form is filled in with, where that is posted, and what to do once it is done.

    `path` may name the user of the link as `{user}`; the link's token is posted with the form.
    """

    title: str
    asks: str
    button: str
    path: str
    done: str
    fields: str = ""


_NEW_PASSWORD: Final = '<input name="password" type="password" autocomplete="new-password" minlength="12" required>'  # noqa: S105 - no password, a field for one
_PAGES: Final[Mapping[str, _Page]] = {
    "verify-email": _Page(
        title="Prove your address",
        asks="Is this your address?",
        button="Yes, it is mine",
        path="v1/users/{user}/email/verify",
        done="Thank you: the address is yours. Sign in with it from now on.",
    ),
    "undo-email-change": _Page(
        title="Take your account back",
        asks="Did somebody else change the address of your account?",
        button="Yes, give me my account back",
        path="v1/users/{user}/email/undo",
        done="Your account has its former address again. Everyone was signed out, and the password is gone: "
        "where you sign in, ask for a new one. It comes to the address at which you got this link.",
    ),
    "reset-password": _Page(
        title="New password",
        asks="Choose a new password",
        fields=f"<label>New password {_NEW_PASSWORD}</label>\n",
        button="Take this one",
        path="v1/password/reset/complete",
        done="You have a new password, and everyone was signed out. Sign in with it.",
    ),
    "accept-invitation": _Page(
        title="Invitation",
        asks="Choose a password, and you are there",
        fields=f"<label>Password {_NEW_PASSWORD}</label>\n"
        '<label>Name, if you like <input name="display_name" autocomplete="name" maxlength="100"></label>\n',
        button="Accept",
        path="v1/invitations/accept",
        done="You have an account now. Sign in with the address at which you got this link, and the password.",
    ),
    "unlock": _Page(
        title="Unlock your account",
        asks="Do you want to sign in from here?",
        button="Yes, let me in",
        path="v1/users/{user}/unlock",
        done="Any device may sign in again, and this one is known from now on. Sign in with your password.",
    ),
    "withdraw-erasure": _Page(
        title="Keep your account",
        asks="Do you want to keep your account?",
        button="Yes, do not erase it",
        path="v1/users/{user}/erase/withdraw",
        done="Your account stays. If it was not you who asked for it to be erased, change your password.",
    ),
    "sign-up": _Page(
        title="First administrator",
        asks="Become the first administrator",
        fields='<label>Address <input name="email" type="email" autocomplete="username" required></label>\n'
        f"<label>Password {_NEW_PASSWORD}</label>\n"
        '<label>Name, if you like <input name="display_name" autocomplete="name" maxlength="100"></label>\n',
        button="Sign up",
        path="v1/administrators",
        done="You are the first administrator. You can sign in now.",
    ),
}


def _static(name: str) -> str:
    return files("api").joinpath("static", name).read_text("utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


_STYLE: Final = _static("page.css")
_SCRIPT: Final = _static("page.js")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # A browser may do what is in the page and nothing else.
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def _html(page: _Page) -> bytes:
    """The page in one piece."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{page.title}</title><style>{_STYLE}</style></head><body>\n<h1>{page.asks}</h1>\n"
        f'<form data-path="{page.path}" data-done="{escape(page.done)}">\n'
        f"{page.fields}<button>{page.button}</button></form>\n"
        '<p role="status"></p><noscript><p>This page needs JavaScript.</p></noscript>'
        f"<script>{_SCRIPT}</script></body></html>\n"
    ).encode()


_WRITTEN: Final = {f"/{name}": _html(page) for name, page in _PAGES.items()}


class Pages(Controller):
    """They are no part of the API, only of the links that it makes."""

    include_in_schema = False

    @get(list(_WRITTEN), sync_to_thread=False)
    def page(self, request: JsonRequest) -> Response[bytes]:
        """Where a link leads."""
        return Response(_WRITTEN[request.scope["path_template"]], media_type=MediaType.HTML, headers=_HEADERS)
