"""Commands that are asked at the console, in the operator's name, and what became of them."""

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from uuid import UUID

import click
from msgspec import Struct

from api.arguments import dry_run_option, json_option, reason_option
from api.operating import as_json, operate
from api.tables import Table, cell
from settings import Settings, key_bytes, master_keys

if TYPE_CHECKING:
    from api.rehearsals import Rehearsal, RehearsedEvent

__all__ = ["Done", "Operator", "asks", "user_named"]

P = ParamSpec("P")


class Done(Struct, frozen=True):
    """What became of a command: the events that it recorded, if any, and the position of the log that shows them all."""

    id: UUID
    changed: bool
    events: list[str]
    position: int
    version: int

    def in_words(self) -> str:
        """For people."""
        if not self.changed:
            return f"{self.id}: nothing to change, as of position {self.position}."
        return f"{self.id}: {', '.join(self.events)}, recorded up to position {self.position}."


class Operator:
    """Whoever works at the console; what they only try out is kept in `tried`, and not recorded."""

    def __init__(
        self, settings: Settings, handler: Any, reading: Any, reason: str | None, *, dry_run: bool = False
    ) -> None:
        self._settings = settings
        self._handler = handler
        self._reading = reading
        self._reason = reason
        self._dry_run = dry_run
        self.tried: Rehearsal | None = None

    async def user(self, text: str) -> UUID:
        """The user of an id or of an address. Raises `NoSuchUser`, `InvalidAddress`."""
        return await user_named(self._settings, self._reading, text)

    async def ask(self, command: Any, about: UUID | None = None) -> Done:
        """Have a command done, about someone or something, or about whom it makes. Raises what `Handler.handle` raises."""
        from commands.handler import Context
        from events.event import Actor

        context = Context(Actor("operator"), reason=self._reason)
        if self._dry_run:
            return await self._try(command, context, about)
        outcome = await self._handler.handle(command, context)
        recorded = [type(event).__name__ for event in outcome.events]
        what = about or outcome.stream_id
        assert what is not None, "what is asked at the console is about something"
        return Done(what, bool(recorded), recorded, outcome.position, outcome.version)

    async def _try(self, command: Any, context: Any, about: UUID | None) -> Done:
        """As if it had been done; it stands nowhere."""
        from api.rehearsals import rehearsed

        _, written = await self._handler.rehearse(command, context)
        self.tried = rehearsed(written, context.actor, type(command).__name__, context.reason)
        events = [event.type for event in self.tried.events]
        return Done(about or written[0].stream_id, bool(events), events, 0, 0)


def asks(ask: Callable[Concatenate[Operator, P], Awaitable[Done]]) -> Callable[..., None]:
    """Make what an operator asks a command of the command line; it tells what became of it.

    It takes `--reason`, `--dry-run` and `--json`.
    """

    @reason_option
    @dry_run_option
    @json_option
    @functools.wraps(ask)
    def callback(*, reason: str | None, dry_run: bool, json: bool, **given: Any) -> None:
        async def work(settings: Settings) -> str:
            from api.handling import handler_of

            async with handler_of(settings, "muster operator") as (handler, reading):
                operator = Operator(settings, handler, reading, reason, dry_run=dry_run)
                done = await ask(operator, **given)  # type: ignore[call-arg] # click knows what was declared
            if operator.tried is not None:
                return as_json(operator.tried) if json else _in_words(operator.tried)
            return as_json(done) if json else done.in_words()

        operate(click.get_current_context().command_path, work)

    return callback


def _in_words(tried: "Rehearsal") -> str:
    if not tried.events:
        return "Nothing would change."
    table = Table("WOULD BE RECORDED", "IN THE STREAM", "AS VERSION", "WHAT")
    return "\n".join(table.lines(map(_row, tried.events)))


def _row(event: "RehearsedEvent") -> list[Any]:
    facts = ", ".join(f"{name}: {cell(value)}" for name, value in event.data.items())
    return [event.type, f"{event.stream_type} {event.stream}", event.version, facts]


async def user_named(settings: Settings, reading: Any, text: str) -> UUID:
    """The user of an id, who need not be there, or of an address. Raises `NoSuchUser`, `InvalidAddress`.

    `reading` has the writer's rights: nobody else may read the claims.
    """
    from commands.addresses import address
    from commands.errors import NoSuchUser
    from commands.owners import owner_by_address
    from events.data_keys import DataKeys
    from events.keys import derived, local_keyring

    try:
        return UUID(text)
    except ValueError:
        if "@" not in text:
            raise NoSuchUser(f"{text!r} is neither an id nor an address.") from None
    address(text)
    claims_key = derived(key_bytes(settings.secret), "claims")
    keys = DataKeys(local_keyring(master_keys(settings)))
    user_id = await owner_by_address(reading, keys, claims_key, text)
    if user_id is None:
        raise NoSuchUser("Nobody has this address.")
    return user_id
