"""Commands that are asked at the console, in the operator's name, and what became of them."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

import click
from msgspec import Struct

from api.arguments import json_option, reason_option
from api.operating import as_json, operate
from settings import Settings, key_bytes, master_keys

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
    """Whoever works at the console."""

    def __init__(self, settings: Settings, handler: Any, reading: Any, reason: str | None) -> None:
        self._settings = settings
        self._handler = handler
        self._reading = reading
        self._reason = reason

    async def user(self, text: str) -> UUID:
        """The user of an id or of an address. Raises `NoSuchUser`, `InvalidAddress`."""
        return await user_named(self._settings, self._reading, text)

    async def ask(self, command: Any, about: UUID | None = None) -> Done:
        """Have a command done, about someone or something, or about whom it makes. Raises what `Handler.handle` raises."""
        from commands.handler import Context
        from events.event import Actor

        outcome = await self._handler.handle(command, Context(Actor("operator"), reason=self._reason))
        recorded = [type(event).__name__ for event in outcome.events]
        what = about or outcome.stream_id
        assert what is not None, "what is asked at the console is about something"
        return Done(what, bool(recorded), recorded, outcome.position, outcome.version)


def asks(ask: Callable[Concatenate[Operator, P], Awaitable[Done]]) -> Callable[..., None]:
    """Make what an operator asks a command of the command line, with `--reason` and `--json`; it tells what became of it."""

    @reason_option
    @json_option
    @functools.wraps(ask)
    def callback(*, reason: str | None, json: bool, **given: Any) -> None:
        async def work(settings: Settings) -> str:
            from api.handling import handler_of

            async with handler_of(settings, "muster operator") as (handler, reading):
                done = await ask(Operator(settings, handler, reading, reason), **given)  # type: ignore[call-arg] # click knows what was declared
            return as_json(done) if json else done.in_words()

        operate(click.get_current_context().command_path, work)

    return callback


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
