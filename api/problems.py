"""RFC 9457: every error as a problem, of a type that resolves."""

import re
from typing import Any, Final

import asyncpg
import msgspec
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import UNSET, Struct, UnsetType

from api.reasons import (
    STATUSES,
    BodyTooLarge,
    Declined,
    FieldError,
    InternalError,
    InvalidParameters,
    MalformedBody,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    StepUpRequired,
)
from commands.access_tokens import InvalidAccessToken
from commands.errors import SecondFactorRequired, TooManyAttempts
from events.connections import is_unavailable
from events.errors import StoreUnavailable
from projections.parking import ViewParked

__all__ = [
    "MEDIA_TYPE",
    "RETRY_SECONDS",
    "Problem",
    "answer",
    "described_problems",
    "meaning",
    "reason_of",
    "slug",
    "title",
]

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = "1"
RETRY_PARKED_SECONDS: Final = "30"
"""Somebody has to decide, or a newer version to come."""
_WORDS: Final = re.compile(r"(?<!^)(?=[A-Z])")


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not done.

    Where more is asked for, `methods` are those by which it can be given, with this `challenge`, within `expires_in` seconds.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] | UnsetType = UNSET
    challenge: str | UnsetType = UNSET
    methods: tuple[str, ...] | UnsetType = UNSET
    expires_in: int | UnsetType = UNSET


def slug(reason: type[Exception]) -> str:
    """The last part of a problem type's URI."""
    return _WORDS.sub("-", reason.__name__).lower()


def title(reason: type[Exception]) -> str:
    """The reason in a few words, the same each time it occurs."""
    return _WORDS.sub(" ", reason.__name__).capitalize()


def meaning(reason: type[Exception]) -> str:
    """The reason in a sentence."""
    return (reason.__doc__ or "").split("\n")[0]


def described_problems() -> list[tuple[str, int, str, str]]:
    """(slug, status, title, meaning) of every problem type, by slug."""
    return sorted((slug(reason), status, title(reason), meaning(reason)) for reason, status in STATUSES.items())


def reason_of(error: Exception) -> Exception:
    """The reason in the table that an error comes down to; `InternalError` for a bug.

    What a library said stays with us: only reasons that have no other cause speak for themselves.
    """
    if type(error) in STATUSES and error.__cause__ is None:
        return error
    match error:
        case InvalidAccessToken():
            return InvalidAccessToken()
        case NotFoundException():
            return NotFound()
        case MethodNotAllowedException():
            return MethodNotAllowed(headers={"Allow": _with_head((error.headers or {}).get("allow", ""))})
        case RequestEntityTooLarge():
            return BodyTooLarge()
        case ValidationException():
            told = [extra for extra in error.extra or () if isinstance(extra, dict)]
            if any(extra.get("key") == "data" for extra in told):
                return MalformedBody("There is no body, and this needs one.")
            return InvalidParameters(errors=[_parameter(extra) for extra in told])
        case HTTPException() if error.status_code < 500:
            return MalformedRequest()
        case StoreUnavailable() | OSError() | asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return StoreUnavailable("The store cannot be reached now; try again shortly.")
        case asyncpg.UndefinedTableError():
            return StoreUnavailable("The view is still to be made; try again shortly.")
        case asyncpg.PostgresError() if is_unavailable(error):
            return StoreUnavailable("The store cannot answer now; try again shortly.")
        case _:
            return InternalError()


def _with_head(allow: str) -> str:
    methods = {method.strip() for method in allow.split(",")} - {""}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _parameter(told: dict[str, str]) -> FieldError:
    return FieldError(
        parameter=str(told.get("key", "")), detail=f"{told.get('message', 'It is not valid')}.".replace("`", "")
    )


def answer(
    error: Exception, *, base_url: str, path: str, request_id: str, lock_minutes: int = 0
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request that ended with this error."""
    reason = reason_of(error)
    kind = type(reason)
    status = STATUSES[kind]
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    errors: list[FieldError] = []
    if isinstance(reason, Declined):
        headers |= reason.headers
        errors = reason.errors
    if status in (401, 403):
        headers.setdefault("WWW-Authenticate", _challenge(reason))
    elif status in (429, 503):
        headers.setdefault("Retry-After", _retry_after(kind, lock_minutes))
    problem = Problem(
        type=f"{base_url}/problems/{slug(kind)}",
        title=title(kind),
        status=status,
        detail=str(reason) or meaning(kind),
        instance=path,
        request_id=request_id,
        errors=errors or UNSET,
        **_more(reason),
    )
    return status, headers, msgspec.json.encode(problem)


def _retry_after(kind: type[Exception], lock_minutes: int) -> str:
    """Seconds; attempts are there again after as long as a lock takes, or sooner."""
    if kind is TooManyAttempts:
        return str(60 * lock_minutes)
    return RETRY_PARKED_SECONDS if kind is ViewParked else RETRY_SECONDS


def _more(reason: Exception) -> dict[str, Any]:
    """What a problem of this type says beside what all say."""
    if isinstance(reason, SecondFactorRequired | StepUpRequired):
        return {
            "challenge": reason.challenge or UNSET,
            "methods": reason.methods,
            "expires_in": reason.expires_in or UNSET,
        }
    return {}


def _challenge(reason: Exception) -> str:
    """RFC 6750 section 3: the error is named only where a token was presented."""
    if isinstance(reason, InvalidAccessToken):
        return f'Bearer realm="muster", error="invalid_token", error_description="{meaning(InvalidAccessToken)}"'
    return 'Bearer realm="muster"'
