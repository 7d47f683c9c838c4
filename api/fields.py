"""Fields that bodies share: their sizes, what they mean, and the rules that commands have for them."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from msgspec import Meta

from commands.addresses import address
from commands.display_names import display_name
from commands.passwords import acceptable

__all__ = ["CHECKS", "DisplayName", "Email", "LinkToken", "Locale", "Password", "Reason", "RefreshToken"]

Email = Annotated[
    str,
    Meta(
        min_length=3, max_length=254, description="An address that mail can be sent to.", examples=["ada@example.com"]
    ),
]
Password = Annotated[
    str,
    Meta(
        max_length=8192,
        description="At least 12 characters and at most 1024, in any script; more than common passwords, repetitions, runs, "
        "the address and the product's name.",
        examples=["a horse, a staple, a battery"],
    ),
]
DisplayName = Annotated[
    str, Meta(max_length=400, description="What to call the person: 1 to 100 characters.", examples=["Ada Lovelace"])
]
Locale = Annotated[
    str,
    Meta(
        max_length=35,
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        description="A language tag (BCP 47).",
        examples=["en-GB"],
    ),
]
LinkToken = Annotated[
    str,
    Meta(
        min_length=1, max_length=512, description="The token of a link, as it stands in the mail on a line of its own."
    ),
]
RefreshToken = Annotated[str, Meta(min_length=1, max_length=512, description="The refresh token of the last answer.")]
Reason = Annotated[
    str, Meta(min_length=1, max_length=500, description="Why, for the history; personal, and sealed like all that is.")
]


def _password(value: Any, document: dict[str, Any]) -> object:
    email = document.get("email")
    return acceptable(value, email=email if isinstance(email, str) else "")


CHECKS: Final[dict[str, Callable[[Any, dict[str, Any]], object]]] = {
    "email": lambda value, _document: address(value),
    "password": _password,
    "display_name": lambda value, _document: display_name(value),
}
