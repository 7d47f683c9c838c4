"""What routes declare of their refusals, so that the OpenAPI document tells every answer that there can be."""

from collections.abc import Iterable
from typing import Final

from litestar.openapi.datastructures import ResponseSpec

from api.problems import MEDIA_TYPE, Problem, meaning
from api.reasons import (
    STATUSES,
    BodyTooLarge,
    DryRunRefused,
    InternalError,
    InvalidCursor,
    InvalidFields,
    InvalidHost,
    InvalidParameters,
    LogRestored,
    MalformedBody,
    MalformedRequest,
    RevocationsBehind,
    SessionRequired,
    SignInRequired,
    StepUpRequired,
    TooManyRequests,
    UnsupportedMediaType,
)
from api.rehearsals import Rehearsal
from commands.access_tokens import InvalidAccessToken
from commands.passwords import HasherBusy
from commands.receipts import IdempotencyKeyReused, RequestInProgress
from events.errors import QueueFull, StoreUnavailable
from projections.positions import ViewBehind

__all__ = [
    "BODY",
    "COMMAND",
    "CURSOR",
    "DRY_RUN",
    "HASHING",
    "IN_SESSION",
    "LIMITED",
    "PARAMETERS",
    "STEP_UP",
    "TOKEN",
    "UNCHANGED",
    "VIEW",
    "declared",
]

Reasons = tuple[type[Exception], ...]
ALWAYS: Final[Reasons] = (MalformedRequest, InvalidHost, InternalError)
PARAMETERS: Final[Reasons] = (InvalidParameters,)
CURSOR: Final[Reasons] = (InvalidCursor, LogRestored)
BODY: Final[Reasons] = (MalformedBody, InvalidFields, BodyTooLarge, UnsupportedMediaType)
TOKEN: Final[Reasons] = (SignInRequired, InvalidAccessToken, RevocationsBehind)
IN_SESSION: Final[Reasons] = (*TOKEN, SessionRequired)
STEP_UP: Final[Reasons] = (StepUpRequired, SessionRequired)
LIMITED: Final[Reasons] = (TooManyRequests,)
COMMAND: Final[Reasons] = (
    StoreUnavailable,
    QueueFull,
    InvalidParameters,
    RequestInProgress,
    IdempotencyKeyReused,
    DryRunRefused,
    *LIMITED,
)
HASHING: Final[Reasons] = (HasherBusy,)
VIEW: Final[Reasons] = (StoreUnavailable, ViewBehind, InvalidParameters)


DRY_RUN: Final = {
    200: ResponseSpec(
        Rehearsal, generate_examples=False, description="What would be recorded, for `Prefer: dry-run`; nothing was."
    )
}
UNCHANGED: Final = {304: ResponseSpec(None, description="It is still what If-None-Match names.")}


def declared(*reasons: type[Exception] | Iterable[type[Exception]]) -> dict[int, ResponseSpec]:
    """A response for each status that these reasons have, and those that any request can meet."""
    flat = {*ALWAYS}
    for reason in reasons:
        flat |= {reason} if isinstance(reason, type) else {*reason}
    by_status: dict[int, list[str]] = {}
    for kind in sorted(flat, key=lambda kind: kind.__name__):
        by_status.setdefault(STATUSES[kind], []).append(meaning(kind))
    return {
        status: ResponseSpec(Problem, generate_examples=False, description=" ".join(meanings), media_type=MEDIA_TYPE)
        for status, meanings in sorted(by_status.items())
    }
