"""Fields that bodies share: their sizes, what they mean, and the rules that commands have for them."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from msgspec import Meta

from commands.addresses import address
from commands.display_names import MOST_CHARACTERS as LONGEST_NAME
from commands.display_names import display_name
from commands.labels import label
from commands.locales import PATTERN, locale
from commands.metadata import MOST_ENTRIES, MOST_NAME_CHARACTERS, replaced
from commands.passwords import LEAST_CHARACTERS, MOST_CHARACTERS, acceptable
from commands.pictures import picture_url
from commands.time_zones import time_zone

__all__ = [
    "CHECKS",
    "CHECKS_BESIDE_PASSWORD",
    "AnyAddress",
    "Challenge",
    "DisplayName",
    "Email",
    "Entries",
    "Label",
    "LinkToken",
    "Locale",
    "Password",
    "PictureUrl",
    "PresentPassword",
    "Reason",
    "RecoveryCode",
    "RefreshToken",
    "TimeZone",
    "TotpCode",
]


def _said(**keywords: Any) -> dict[str, Any]:
    """What the OpenAPI document says of a field whose rule is a command's; a format names what no pattern can tell."""
    return {"extra": keywords}


Email = Annotated[
    str,
    Meta(
        max_length=254,
        description="An address that mail can be sent to.",
        examples=["ada@example.com"],
        extra_json_schema=_said(format="idn-email"),
    ),
]
AnyAddress = Annotated[str, Meta(max_length=1024, description="The address, in any spelling.")]
Password = Annotated[
    str,
    Meta(
        max_length=8192,
        description="At least 12 characters and at most 1024, in any script; more than common passwords, repetitions, runs, "
        "the address and the product's name.",
        examples=["a horse, a staple, a battery"],
        extra_json_schema=_said(format="password", min_length=LEAST_CHARACTERS, max_length=MOST_CHARACTERS),
    ),
]
DisplayName = Annotated[
    str,
    Meta(
        max_length=400,
        description="What to call the person: 1 to 100 characters.",
        examples=["Ada Lovelace"],
        extra_json_schema=_said(format="display-name", min_length=1, max_length=LONGEST_NAME),
    ),
]
Locale = Annotated[
    str,
    Meta(
        max_length=35,
        pattern=PATTERN,
        description="A language tag (BCP 47).",
        examples=["en-GB"],
    ),
]
TimeZone = Annotated[
    str,
    Meta(
        max_length=64,
        description="A time zone of the IANA database.",
        examples=["Europe/London"],
        extra_json_schema=_said(format="time-zone", max_length=None),
    ),
]
PictureUrl = Annotated[
    str,
    Meta(
        max_length=2048,
        description="An https URL. It is never fetched.",
        examples=["https://example.com/ada.png"],
        extra_json_schema=_said(format="uri", pattern="^https://"),
    ),
]
Entries = Annotated[
    dict[str, Any],
    Meta(
        description="At most 64 entries with names of 1 to 64 characters, 8 KiB of JSON and 6 levels.",
        examples=[{"theme": "dark"}],
        extra_json_schema=_said(
            max_properties=MOST_ENTRIES,
            property_names={"minLength": 1, "maxLength": MOST_NAME_CHARACTERS},
        ),
    ),
]
PresentPassword = Annotated[
    str,
    Meta(
        max_length=8192,
        description="The password that the account has.",
        examples=["a horse, a staple, a battery"],
        extra_json_schema=_said(format="password"),
    ),
]
Label = Annotated[
    str,
    Meta(
        max_length=400,
        description="What to call it: 1 to 100 characters.",
        examples=["My telephone"],
        extra_json_schema=_said(format="display-name", min_length=1, max_length=LONGEST_NAME),
    ),
]
LinkToken = Annotated[
    str,
    Meta(
        min_length=1, max_length=512, description="The token of a link, as it stands in the mail on a line of its own."
    ),
]
RefreshToken = Annotated[str, Meta(min_length=1, max_length=512, description="The refresh token of the last answer.")]
Challenge = Annotated[
    str, Meta(min_length=1, max_length=512, description="The challenge that the password was answered with.")
]
TotpCode = Annotated[
    str,
    Meta(
        pattern="^[0-9]{6}$",
        description="The six digits that the authenticator app shows; each is good once.",
        examples=["287082"],
    ),
]
RecoveryCode = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="One of the recovery codes, however it is spaced; each is good once.",
        examples=["mfrg-gzdf-mztw-q2lk"],
    ),
]
Reason = Annotated[
    str, Meta(min_length=1, max_length=500, description="Why, for the history; personal, and sealed like all that is.")
]


def _password(value: Any, document: dict[str, Any]) -> object:
    email = document.get("email")
    return acceptable(value, email=email if isinstance(email, str) else "")


CHECKS: Final[dict[str, Callable[[Any, dict[str, Any]], object]]] = {
    "email": lambda value, _document: address(value),
    "password": _password,
    "new_password": lambda value, _document: acceptable(value, email=""),
    "display_name": lambda value, _document: value is None or display_name(value),
    "label": lambda value, _document: label(value),
    "locale": lambda value, _document: value is None or locale(value),
    "time_zone": lambda value, _document: value is None or time_zone(value),
    "picture_url": lambda value, _document: value is None or picture_url(value),
    "own": lambda value, _document: replaced({}, value),
    "admin": lambda value, _document: replaced({}, value),
}
CHECKS_BESIDE_PASSWORD: Final = {name: check for name, check in CHECKS.items() if name != "password"}
"""For bodies whose `password` is the present one, which was accepted by the rules of its day."""
