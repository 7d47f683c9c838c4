"""From a request to a command and back: by whom it is asked, what became of it, and which tokens that cuts off."""

from typing import Any, TypeVar

from api.bodies import JsonRequest
from api.idempotency import asked_once
from api.limits import COMMANDS, limited
from api.reasons import Declined
from api.runtime import Runtime
from commands.errors import Refused
from commands.handler import Client, Command, Context, Outcome
from commands.receipts import IdempotentRequest
from events.event import ANONYMOUS, Actor

__all__ = ["ask", "recorded_headers", "runtime_of"]

R = TypeVar("R")
MOST_USER_AGENT = 300


def runtime_of(request: JsonRequest) -> Runtime:
    """What this process holds open."""
    process: Runtime = request.app.state.runtime
    return process


async def ask(request: JsonRequest, command: Command[R], reason: str | None = None) -> Outcome[R]:
    """Have a command done in the name of whoever sent the request. Raises what `Handler.handle` raises.

    Whoever is signed in is limited here, by what they are; who is not, by the route, by what it is about.
    """
    if request.user is not None:
        await limited(request, COMMANDS, account=request.user.user_id)
    process = runtime_of(request)
    name = type(command).__name__
    context = _context(request, reason, await asked_once(request, process.receipts_key))
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


def _context(request: JsonRequest, reason: str | None, idempotent: IdempotentRequest | None) -> Context:
    caller = request.user
    host = request.scope.get("client")
    client = Client(host[0] if host else "", request.headers.get("user-agent", "")[:MOST_USER_AGENT])
    actor = ANONYMOUS if caller is None else Actor("user", caller.user_id)
    return Context(actor, reason=reason, client=client, idempotent=idempotent)


def recorded_headers(outcome: Outcome[Any], etag: str | None = None) -> dict[str, str]:
    """Where the command stands in the log, and the version that it left."""
    headers = {"Event-Position": str(outcome.position), "Cache-Control": "no-store"}
    return headers if etag is None else headers | {"ETag": etag}
