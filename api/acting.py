"""Commands that are asked at the console, in the operator's name, and what became of them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from msgspec import Struct

from api.operating import as_json, operate
from settings import Settings

__all__ = ["Done", "Operator", "act", "user_named"]


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
            return f"There was nothing to change, as of position {self.position}."
        return f"Recorded up to position {self.position}: {', '.join(self.events)}."


class Operator:
    """Whoever works at the console."""

    def __init__(self, handler: Any, reading: Any, claims_key: bytes, reason: str | None) -> None:
        self._handler = handler
        self._reading = reading
        self._claims_key = claims_key
        self._reason = reason

    async def user(self, text: str) -> UUID:
        """The user of an id or of an address. Raises `NoSuchUser`, `InvalidAddress`."""
        return await user_named(self._reading, self._claims_key, text)

    async def ask(self, command: Any, about: UUID | None = None) -> Done:
        """Have a command done, about someone or something, or about whom it makes. Raises what `Handler.handle` raises."""
        from commands.handler import Context
        from events.event import Actor

        outcome = await self._handler.handle(command, Context(Actor("operator"), reason=self._reason))
        recorded = [type(event).__name__ for event in outcome.events]
        return Done(about or outcome.result.user_id, bool(recorded), recorded, outcome.position, outcome.version)


def act(name: str, asked: Callable[[Operator], Awaitable[Done]], reason: str | None, *, json: bool) -> None:
    """Do what is asked with the settings of the environment, and tell what became of it."""

    async def work(settings: Settings) -> str:
        from api.handling import handler_of
        from api.rules import rules

        async with handler_of(settings, name) as (handler, reading):
            done = await asked(Operator(handler, reading, rules(settings).claims_key, reason))
        return as_json(done) if json else done.in_words()

    operate(name, work)


async def user_named(reading: Any, claims_key: bytes, text: str) -> UUID:
    """The user of an id, or of an address that is claimed. Raises `NoSuchUser`, `InvalidAddress`.

    `reading` has the writer's rights: nobody else may read the claims. A user of the id need not be there.
    """
    from commands.addresses import EMAIL_SCOPE, address, claim_key
    from commands.errors import NoSuchUser

    try:
        return UUID(text)
    except ValueError:
        if "@" not in text:
            raise NoSuchUser(f"{text!r} is neither an id nor an address.") from None
    key = claim_key(claims_key, address(text).canonical)
    owner: UUID | None = await reading.fetchval(
        "SELECT owner_id FROM claims WHERE scope = $1 AND key = $2", EMAIL_SCOPE, key
    )
    if owner is None:
        raise NoSuchUser("Nobody has this address.")
    return owner
