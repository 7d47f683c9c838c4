"""Read, decide, append, and on a lost race read and decide again: written once, for every command."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from commands.addresses import EMAIL_SCOPE
from commands.attempts import STRANGERS, device_of, forget_attempts
from commands.errors import Refused
from commands.passwords import Hasher
from commands.reads import Reads
from commands.receipts import IdempotentRequest, InFlight, Receipt, decoded, decoy, encoded
from commands.unit import NO_CLIENT, Client, Known, Rules, Unit, Written
from events.append import Append, NewEvent
from events.codec import encode, has_personal_fields, seal_note, write_metadata
from events.committer import Committer
from events.connections import Reading
from events.data_keys import DataKeys
from events.errors import Conflict, KeyGone, StoreUnavailable
from events.event import Actor, Event, Metadata
from events.store import head

__all__ = ["Client", "Command", "Context", "Handler", "Outcome"]

DECIDE_FOR_SECONDS: Final = 10.0
MOST_WITHOUT_KEY: Final = 3
KEY_MISSING: Final = "The data key of somebody is gone, and the log does not say that they were erased."
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Command(Protocol[R_co]):
    """What may be asked for. Its class's name is the name of the command in the log."""

    async def perform(self, unit: Unit) -> R_co:
        """Read what the rule needs, decide, and tell the unit what to record."""
        ...


class Context(Struct, frozen=True):
    """By whom, why and whence a command is asked; never taken from its body, but for the reason.

    With an `idempotent` request, the command is done once however often it is asked, see `commands.receipts`.
    """

    actor: Actor
    reason: str | None = None
    causation: int | None = None
    client: Client | None = None
    idempotent: IdempotentRequest | None = None


class Outcome(Struct, Generic[R], frozen=True):
    """What became of a command: its result, and the position at which it stands in the log.

    A command that changed nothing has the position that it read at and no events. `version` is that of the first stream
    that it wrote to, or read. One that is answered again from its receipt is `replayed`: its `result`, `position`,
    `command_id` and `asked_at` are those of the first time, and it has no events either. `first_position` is where the
    first event is, or would be, of a command that was appended, and 0 for one that was not.
    """

    result: R
    position: int
    stream_id: UUID | None
    version: int
    written: tuple[Written, ...]
    command_id: UUID
    asked_at: datetime
    first_position: int = 0
    replayed: bool = False

    @property
    def events(self) -> list[Event]:
        """The events that were recorded, in the order of their positions."""
        return [event for written in self.written for event in written.events]


class Handler:
    """Handles commands against one store; one a process, shared by all requests."""

    def __init__(
        self,
        pool: Reading,
        committer: Committer,
        keys: DataKeys,
        rules: Rules,
        hasher: Hasher,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._reads = Reads(pool, keys)
        self._committer = committer
        self._keys = keys
        self._rules = rules
        self._hasher = hasher
        self._clock = clock
        self._in_flight = InFlight()

    async def handle(self, command: Command[R], context: Context) -> Outcome[R]:
        """Do what is asked, once, atomically; on disk when this returns.

        Raises `Refused` for the command's own reasons and those of `commands.receipts`, `HasherBusy`, and
        `StoreUnavailable` when it could not be taken or lost every race for ten seconds.
        """
        if context.idempotent is None:
            return await self._decide(command, context)
        async with self._in_flight.alone(context.idempotent.key):
            return await self._replayed(command, context.idempotent) or await self._decide(command, context)

    async def device_at(self, key: bytes, token: str | None) -> bytes:
        """The device that this token was given to when it signed in to the account that has an address; else that of strangers."""
        owner = None if token is None else await self._reads.owner(EMAIL_SCOPE, key)
        return STRANGERS if owner is None else device_of(self._rules.devices_key, owner, token)

    async def rehearse(self, command: Command[R], context: Context) -> tuple[R, tuple[Written, ...]]:
        """What the command would answer and record if it were asked now; nothing is recorded. Raises its own refusals."""
        unit = Unit(self._pool, self._reads, self._keys, self._known(context, rehearsing=True))
        result = await command.perform(unit)
        if unit.refusal is not None:
            raise unit.refusal
        return result, tuple(unit.written.values())

    def _known(self, context: Context, *, rehearsing: bool = False) -> Known:
        return Known(self._clock(), self._rules, self._hasher, {}, context.client or NO_CLIENT, rehearsing)

    async def _replayed(self, command: Command[R], idempotent: IdempotentRequest) -> Outcome[R] | None:
        found = await idempotent.find(self._pool)
        if found is None:
            return None
        receipt, position = found
        return Outcome(
            decoded(command, receipt.result),
            position,
            receipt.stream_id,
            receipt.version,
            (),
            receipt.command_id,
            receipt.asked_at,
            replayed=True,
        )

    async def _decide(self, command: Command[R], context: Context) -> Outcome[R]:
        known = self._known(context)
        deadline: float | None = None  # from the first race that is lost on, however long a hash had waited before
        gone = 0
        while True:
            unit = Unit(self._pool, self._reads, self._keys, known)
            try:
                result = await command.perform(unit)
                outcome = await self._append(unit, type(command).__name__, context, result)
            except Conflict as conflict:
                if conflict.about == "key":
                    self._forget(unit)
                if isinstance(conflict, KeyGone) and (gone := gone + 1) > MOST_WITHOUT_KEY:
                    raise LookupError(KEY_MISSING) from None
                # Whatever was in the way, it may be what the same request has done in another process.
                if context.idempotent and (done := await self._replayed(command, context.idempotent)):
                    return done
                now = asyncio.get_running_loop().time()
                deadline = deadline or now + DECIDE_FOR_SECONDS
                if now > deadline:
                    msg = "Too many others change the same thing at once; try again."
                    raise StoreUnavailable(msg) from None
                await asyncio.sleep(random.random() * 0.002)  # noqa: S311 - spreads out those who race
                continue
            except Refused:
                if context.idempotent and (done := await self._replayed(command, context.idempotent)):
                    return done
                raise
            for key in unit.pardoned:
                await forget_attempts(self._pool, key)
            if unit.refusal is not None:
                raise unit.refusal
            return outcome

    def _forget(self, unit: Unit) -> None:
        for subject_id in unit.key_uses:
            self._keys.forget(subject_id)

    async def _append(self, unit: Unit, name: str, context: Context, result: R) -> Outcome[R]:
        main = next(iter(unit.written), next(iter(unit.expected), None))
        version = unit.expected.get(main, 0) if main is not None else 0
        command_id: UUID = uuid7()
        idempotent = context.idempotent if unit.refusal is None else None
        if not (unit.written or unit.claims or unit.secrets or unit.pretends or idempotent):
            return Outcome(result, await head(self._pool), main, version, (), command_id, unit.now)
        written = tuple(unit.written.values())
        append = await self._record(unit, name, command_id, context)
        if main is not None and main in unit.written:
            version += len(unit.written[main].events)
        if idempotent is not None:
            receipt = Receipt(encoded(result), command_id, unit.now, main, version)
            append.receipt = idempotent.receipt(
                receipt, context.actor.user_id or context.actor.id or (written[0].subject_id if written else None)
            )
        elif not (append.events or append.claims or append.secrets):
            # It waits for nobody and loses no race: nothing follows from what was read.
            append.expected, append.receipt = {}, decoy()
        position = await self._committer.commit(append)
        for use in append.keys:
            if use.forgotten:  # here at once; other processes hear of it
                self._keys.forget(use.subject_id)
        first = position - len(append.events) + 1
        return Outcome(result, position, main, version, written, command_id, unit.now, first)

    async def _record(self, unit: Unit, name: str, command_id: UUID, context: Context) -> Append:
        """Encode and seal everything that the unit gathered."""
        month, client_key = (
            await self._keys.current_client_key(self._pool, unit.now) if context.client is not None else ("", None)
        )
        events: list[NewEvent] = []
        for written in unit.written.values():
            subject = written.subject_id
            personal = any(has_personal_fields(type(event)) for event in written.events)
            wants_key = context.reason is not None or personal
            key = await unit.key_of(subject) if subject is not None and wants_key else None
            if personal and key is None:
                raise KeyGone
            if subject is None and context.reason is not None:
                key = await unit.key_of_notes(written.stream_id)
            for version, event in enumerate(written.events, start=written.version + 1):
                place = (written.stream_id, version)
                metadata = Metadata(
                    actor=context.actor,
                    command=name,
                    correlation_id=command_id,
                    causation=context.causation,
                    sealed=seal_note(context.reason, "reason", *place, key) if context.reason and key else None,
                    client=seal_note(context.client, "client", *place, client_key) if client_key else None,
                    client_month=month if client_key else None,
                )
                topic, state = encode(event, *place, key)
                events.append(
                    NewEvent(
                        written.stream_id, written.stream_type, version, topic, state, subject, write_metadata(metadata)
                    )
                )
        return Append(command_id, events, unit.expected, unit.claims, unit.secrets, list(unit.key_uses.values()))
