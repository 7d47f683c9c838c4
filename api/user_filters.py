"""What may be asked of the list of users: filters, order, and how many there are."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar.openapi.spec import OpenAPIFormat, OpenAPIType, Schema
from litestar.params import QueryParameter

from api.reasons import FieldError, InvalidParameters
from commands.roles import ROLES
from projections.users import ACTIVE, LOCKED, SUSPENDED, UNVERIFIED
from queries.user_filters import MOST_SEARCHED, SORTS, UserFilters

__all__ = [
    "Count",
    "CreatedFrom",
    "CreatedTo",
    "RolesAny",
    "Search",
    "SeenFrom",
    "SeenTo",
    "SortBy",
    "Statuses",
    "Verified",
    "filters_of",
    "moment",
]

STATUSES: Final = (ACTIVE, UNVERIFIED, SUSPENDED, LOCKED)
SOME_TEXT: Final = r"^[^\u0000]*[^\u0000\s][^\u0000]*$"
_SECONDS: Final = 19
_MOMENT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,18})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)  # RFC 3339 section 5.6, with what of a second nobody measures left out


def _any_of(name: str, values: Any, description: str) -> Any:
    """A parameter that may be repeated, for any one of the values."""
    return QueryParameter(
        name=name,
        max_items=len(values),
        schema_extra={"items": Schema(type=OpenAPIType.STRING, enum=sorted(values))},
        description=f"{description} Repeat it for any of several.",
    )


def _one_of(values: Any, description: str) -> Any:
    return QueryParameter(schema_extra={"enum": list(values)}, description=description)


def _moment(description: str) -> Any:
    return QueryParameter(
        max_length=50,
        schema_extra={"format": OpenAPIFormat.DATE_TIME},
        description=f"{description} A time with its zone (RFC 3339), as `2026-03-01T12:00:00Z`.",
    )


Statuses = Annotated[list[str] | None, _any_of("status", STATUSES, "Only users of this status.")]
RolesAny = Annotated[list[str] | None, _any_of("role", ROLES, "Only users with this role.")]
Verified = Annotated[str | None, _one_of(("true", "false"), "Only users whose address is proved, or is not.")]
CreatedFrom = Annotated[str | None, _moment("Only users who registered then or later.")]
CreatedTo = Annotated[str | None, _moment("Only users who registered before.")]
SeenFrom = Annotated[str | None, _moment("Only users who were seen last then or later.")]
SeenTo = Annotated[str | None, _moment("Only users who were seen last before.")]
Search = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=MOST_SEARCHED,
        schema_extra={"pattern": SOME_TEXT},
        description="Only users whose name or address contains this, whatever the case and the accents. Of one or two "
        "letters, only those with a word that begins so.",
    ),
]
SortBy = Annotated[
    str | None,
    _one_of(
        SORTS,
        "By what, downwards with a minus: `-created` unless said otherwise. Who has no name, or was never seen, is last.",
    ),
]
Count = Annotated[str | None, _one_of(("exact",), "`exact`: tell how many there are on all pages.")]

_ALLOWED: Final[dict[str, Any]] = {
    "status": STATUSES,
    "role": ROLES,
    "verified": ("true", "false"),
    "sort": SORTS,
    "count": ("exact",),
}


def filters_of(given: dict[str, Any]) -> UserFilters:
    """The filters that parameters ask for. Raises `InvalidParameters` for all that are not what they should be."""
    wrong = [
        FieldError(parameter=name, detail=f"This is one of {', '.join(sorted(allowed))}.")
        for name, allowed in _ALLOWED.items()
        for value in ([given[name]] if isinstance(given[name], str) else given[name] or ())
        if value not in allowed
    ]
    times: dict[str, datetime | None] = {}
    for name in ("created_from", "created_to", "seen_from", "seen_to"):
        try:
            times[name] = None if given[name] is None else moment(given[name])
        except ValueError as error:
            wrong.append(FieldError(parameter=name, detail=str(error)))
    search = given["search"]
    if search is not None and not re.search(SOME_TEXT, search):
        wrong.append(FieldError(parameter="search", detail="This is text with something in it, and without NUL."))
    if wrong:
        raise InvalidParameters(errors=wrong)
    return UserFilters(
        statuses=frozenset(given["status"] or ()),
        roles=frozenset(given["role"] or ()),
        verified=None if given["verified"] is None else given["verified"] == "true",
        search=search,
        **times,
    )


def moment(text: str) -> datetime:
    """The time that a text means. Raises ValueError for one without a zone, and one before year 1 or after 9999 in UTC."""
    if (found := _MOMENT.fullmatch(text)) is None:
        raise ValueError("This is a time with its zone, as 2026-03-01T12:00:00Z; in a URL, + is written %2B.")
    fraction, zone = found.groups("")
    try:
        return datetime.fromisoformat(f"{text[:_SECONDS]}{fraction[:7]}{zone}".upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("There is no such time.") from None
