"""A reaction: which events call for an effect. What it owes is written down with its checkpoint, and done later."""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from msgspec.structs import replace

from events.event import Event
from projections.checkpoints import Checkpoint
from projections.consumer import Step
from projections.following import Concern, next_events
from projections.idling import Idling
from projections.moving import move
from projections.reactions.deliveries import Owed, owe
from projections.recent import Recent

__all__ = ["Reaction"]

TELLS_EVERY_SECONDS: Final = 0.2


class Reaction:
    """Owes one delivery for each event of the classes in `slots`; a slot names what kind of delivery answers the event.

    It begins where the log ends when it is first set up, takes no part in rebuilds, and asks nothing of anyone: whether a
    delivery still makes sense is decided when it is sent.
    """

    def __init__(self, name: str, slots: Mapping[type[Event], str]) -> None:
        self.name = name
        self._idling = Idling(TELLS_EVERY_SECONDS)
        self._slots = {event.__name__: slot for event, slot in slots.items()}
        self._concern = Concern(frozenset(self._slots))

    @property
    def topics(self) -> tuple[str, ...]:
        """The events that it answers, by their topics."""
        return tuple(self._slots)

    async def begin(self, connection: asyncpg.Connection, checkpoint: Checkpoint) -> None:  # noqa: ARG002 - others ask
        """A reaction has nothing to remember of before."""
        self._idling.begin(checkpoint)

    async def step(self, connection: asyncpg.Connection, checkpoint: Checkpoint, recent: Recent | None = None) -> Step:
        """Write down what the next events call for, and move the checkpoint: both are on disk when this returns.

        A checkpoint that moves alone does not wait for the disk: should it be lost, nothing is found again. Few wait for a reaction, and they look: its positions are not announced.
        """
        ask = next_events if recent is None else recent.next_events
        found = await ask(connection, checkpoint, self._concern, looked=self._idling.looked(checkpoint))
        if not found.rows:
            if found.position == checkpoint.position:
                return Step(checkpoint, found.behind, 0)
            if rests := self._idling.rests(checkpoint, found):
                return Step(checkpoint, found.behind, 0, rests)
            return Step(await move(connection, checkpoint, found.position, tell=False), found.behind, 0)
        async with connection.transaction():
            await move(connection, checkpoint, found.position, taken=len(found.rows), lasting=True, tell=False)
            await owe(connection, [self._owed(row) for row in found.rows])
        return Step(replace(checkpoint, position=found.position), found.behind, len(found.rows))

    def _owed(self, row: Any) -> Owed:
        return Owed(
            position=row["notification_id"],
            reaction=self.name,
            slot=self._slots[row["topic"]],
            stream_id=row["originator_id"],
            version=row["originator_version"],
            subject_id=row["subject_id"],
        )
