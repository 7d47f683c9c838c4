"""Dry runs (`Prefer: dry-run`): what a command would record, told to those who may read its subject, and not recorded."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import Struct

from api.bodies import JsonRequest
from api.conditions import preferences
from api.reasons import DryRunRefused
from commands.unit import Written
from events.event import Actor

__all__ = ["Rehearsal", "RehearsedEvent", "refuse_dry_run", "rehearsal", "rehearsed", "wants_dry_run"]

DRY_RUN = "dry-run"


class RehearsedEvent(Struct, frozen=True):
    """An event as it would be recorded; it has no position and no time."""

    stream: UUID
    stream_type: str
    version: int
    type: str
    subject: UUID | None
    data: dict[str, Any]
    actor: Actor
    command: str
    reason: str | None


class Rehearsal(Struct, frozen=True):
    """What would be recorded now; nothing was."""

    events: list[RehearsedEvent]


def wants_dry_run(request: JsonRequest) -> bool:
    """Whether the request asks what it would do, rather than that it be done."""
    return DRY_RUN in preferences(request.header(b"prefer"))


def refuse_dry_run(request: JsonRequest) -> None:
    """Raise `DryRunRefused` when one is asked for: here it would be a way to try credentials, or links, for nothing."""
    if wants_dry_run(request):
        raise DryRunRefused


def rehearsed(written: Iterable[Written], actor: Actor, command: str, reason: str | None) -> Rehearsal:
    """What a command that was only tried out has gathered."""
    events = [
        RehearsedEvent(
            stream=stream.stream_id,
            stream_type=stream.stream_type,
            version=version,
            type=type(event).__name__,
            subject=stream.subject_id,
            data=msgspec.to_builtins(event, builtin_types=(UUID,)),
            actor=actor,
            command=command,
            reason=reason,
        )
        for stream in written
        for version, event in enumerate(stream.events, start=stream.version + 1)
    ]
    return Rehearsal(events)


def rehearsal(written: Iterable[Written], actor: Actor, command: str, reason: str | None) -> Response[Rehearsal]:
    """The answer to a dry run."""
    headers = {"Preference-Applied": DRY_RUN, "Cache-Control": "no-store"}
    return Response(rehearsed(written, actor, command, reason), status_code=200, headers=headers)
