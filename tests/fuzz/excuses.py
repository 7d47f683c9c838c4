"""What Schemathesis cannot know: refusals of requests that are in good form, each with why no schema can tell."""

import json
from typing import Any, Final

from schemathesis import Case, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData, UseAfterFree

from commands.metadata import MOST_BYTES, MOST_LEVELS
from tests.fuzz.known import Known

__all__ = ["ACCEPTING", "excused"]

ACCEPTING: Final = [
    "2xx",
    "3xx",
    "401",  # who asks, or the password, is not right
    "403",
    "404",
    "409",
    "410",  # the link was good once
    "412",  # If-Match names another version
    "422",  # the Idempotency-Key was used for another request
    "429",
    "503",  # a position that is yet to come
]
"""What may be answered to what is in good form; 400 only for what stands below."""

REFUSALS: Final = {
    "invalid-link": "a token of the right form may be a forgery",
    "invalid-passkey": "an answer of the right form may be to nothing that was asked",
    "invalid-cursor": "a cursor is signed, for one caller and one list",
    "invalid-range": "a schema does not hold one day against another",
    "weak-password": "nor does a schema know the address that a password is not to be",
    "invalid-metadata": "there may be too much of them together with what is there already",
    "invalid-expiry": "a setting tells for how long",
    "dry-run-refused": "what is done with a token cannot be tried out, and what is done without it can",
}


ONES_OWN: Final = {"/v1/users/{user_id}/passkeys"}
"""What nobody but its owner sees, whoever has made the account."""


def excused(failure: Failure, case: Case[Any], response: Response, known: Known) -> bool:
    """Whether the API is right, and what was expected of it is not."""
    if isinstance(failure, RejectedPositiveData):
        problem = json.loads(response.content)
        if problem["type"].rpartition("/")[2] in REFUSALS:
            return True
        errors = problem.get("errors", [])
        return bool(errors) and all(_is_beyond_schemas(error, case.body) for error in errors)
    if isinstance(failure, UseAfterFree):
        return not case.path.endswith("}")  # what was deleted are the members; their collection stays, and is empty
    # An account that was only asked for (202) is nobody's yet, and what is the owner's to do answers others as if there
    # were none.
    promised = (case.path_parameters or {}).get("user_id") in known.promised
    apart = promised or case.method != "GET" or case.operation.path in ONES_OWN
    return isinstance(failure, EnsureResourceAvailability) and apart


def _is_beyond_schemas(error: dict[str, str], body: Any) -> bool:
    """Passwords that others use too are refused, JSON that is too deep or too large, and reasons of those who are not known.

    No schema tells of any.
    """
    field = error.get("pointer", "").lstrip("/")
    if field == "reason":
        return True
    if field.endswith("password"):
        return "characters" not in error["detail"]
    value = body.get(field) if isinstance(body, dict) else None
    return isinstance(value, dict) and (len(json.dumps(value)) > MOST_BYTES or _levels(value) > MOST_LEVELS)


def _levels(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_levels, inner), default=0)
