"""From a request to a command and back: by whom it is asked, what became of it, and which tokens that cuts off."""

from typing import Any, TypeVar
from uuid import UUID

from litestar import Response
from litestar.status_codes import HTTP_202_ACCEPTED
from msgspec import Struct

from api.bodies import JsonRequest
from api.caller import Caller
from api.conditions import etag, only_at, user_etag
from api.idempotency import asked_once
from api.limits import COMMANDS, limited
from api.reasons import Declined, DryRunRefused
from api.rehearsals import refuse_dry_run, rehearsal, wants_dry_run
from api.runtime import Runtime
from commands.errors import Refused
from commands.handler import Client, Command, Context, Outcome
from commands.receipts import IdempotentRequest
from events.event import ANONYMOUS, Actor

__all__ = [
    "Accepted",
    "accepted",
    "answered",
    "ask",
    "context_of",
    "handled",
    "recorded_headers",
    "runtime_of",
    "tried_out",
]

R = TypeVar("R")
MOST_USER_AGENT = 300


def runtime_of(request: JsonRequest) -> Runtime:
    """What this process holds open."""
    process: Runtime = request.app.state.runtime
    return process


async def ask(request: JsonRequest, command: Command[R], reason: str | None = None) -> Outcome[R]:
    """Have a command done in the name of whoever sent the request, and never only tried out.

    Raises `DryRunRefused`, and what `Handler.handle` raises.
    """
    refuse_dry_run(request)
    return await _done(request, command, reason)


async def tried_out(
    request: JsonRequest, command: Command[Any], subject_id: UUID | None = None, *, reason: str | None = None
) -> Response[Any] | None:
    """What a command would record, where the request asks for that; None where it is to be done.

    A dry run is for those who may see its subject: themselves, and whoever has `users:read`; these alone, where there is
    no `subject_id`. Raises `DryRunRefused`, and what the command does.
    """
    if not wants_dry_run(request):
        return None
    caller = request.user
    if caller is None or not (caller.user_id == subject_id or caller.may("users:read")):
        raise DryRunRefused
    await limited(request, COMMANDS, account=caller.user_id)
    context = context_of(request, reason)
    _, written = await runtime_of(request).handler.rehearse(command, context)
    return rehearsal(written, context.actor, type(command).__name__, reason)


async def answered(
    request: JsonRequest,
    command: Command[Any],
    subject_id: UUID | None,
    *,
    if_match: str | None = None,
    reason: str | None = None,
    stream_id: UUID | None = None,
) -> Response[None]:
    """Have a command done, at the version that If-Match names, and answer 204; or tell what it would do.

    It is about a user or, with a `stream_id`, about something else, of theirs where the user is said: then that stream's
    is the version. Raises as `ask`; who may try it out, `tried_out` says.
    """
    about = stream_id or subject_id
    checked = command if about is None else only_at(command, about, if_match)
    if (tried := await tried_out(request, checked, subject_id, reason=reason)) is not None:
        return tried
    outcome = await _done(request, checked, reason)
    tag = None
    if outcome.stream_id == about:
        tag = etag(outcome.version) if stream_id else user_etag(outcome.version, request.user)
    return Response(None, headers=recorded_headers(outcome, tag))


class Accepted(Struct, frozen=True):
    """It was taken. Whether anything comes of it, the mail tells."""


def accepted() -> Response[Accepted]:
    """The answer to what nobody may learn the outcome of."""
    return Response(Accepted(), status_code=HTTP_202_ACCEPTED, headers={"Cache-Control": "no-store"})


async def _done(request: JsonRequest, command: Command[R], reason: str | None) -> Outcome[R]:
    """Whoever is signed in is limited here, by what they are; who is not, by the route, by what it is about."""
    if request.user is not None:
        await limited(request, COMMANDS, account=request.user.user_id)
    process = runtime_of(request)
    context = context_of(request, reason, await asked_once(request, process.receipts_key))
    return await handled(process, command, context)


async def handled(process: Runtime, command: Command[R], context: Context) -> Outcome[R]:
    """Have a command done by this process, which counts it, and knows of what it cuts off before it is answered."""
    name = type(command).__name__
    try:
        outcome = await process.handler.handle(command, context)
    except Exception as error:
        kind = type(error).__name__ if isinstance(error, Refused | Declined) else "failed"
        process.metrics.command(name, kind)
        raise
    process.metrics.command(name, _became(outcome))
    process.revocations.apply(outcome)
    return outcome


def _became(outcome: Outcome[Any]) -> str:
    if outcome.replayed:
        return "replayed"
    return "recorded" if outcome.written else "unchanged"


def context_of(request: JsonRequest, reason: str | None = None, idempotent: IdempotentRequest | None = None) -> Context:
    """By whom and whence a request is sent, and why."""
    caller = request.user
    host = request.scope.get("client")
    client = Client(host[0] if host else "", " ".join(request.header(b"user-agent"))[:MOST_USER_AGENT])
    return Context(_actor(caller), reason=reason, client=client, idempotent=idempotent)


def _actor(caller: Caller | None) -> Actor:
    if caller is None:
        return ANONYMOUS
    if caller.key_id is not None:
        return Actor("api_key", caller.key_id, user_id=caller.user_id)
    return Actor("user", caller.user_id)


def recorded_headers(outcome: Outcome[Any], etag: str | None = None) -> dict[str, str]:
    """Where the command stands in the log, and the version that it left."""
    headers = {"Event-Position": str(outcome.position), "Cache-Control": "no-store"}
    return headers if etag is None else headers | {"ETag": etag}
