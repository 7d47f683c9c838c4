"""What was decided about read models and events that they could not take: a stream for each, whatever its tables."""

from typing import Final, TypeAlias
from uuid import UUID, uuid5

from events.event import Event

__all__ = [
    "STREAM_TYPE",
    "ParkedEventDiscarded",
    "ParkedEventsRetried",
    "ParkingDecision",
    "ProjectionEvent",
    "RebuildAsked",
    "stream_id",
]

STREAM_TYPE = "projection"
_NAMES: Final = UUID("0190b0a6-ad31-7000-8000-70726f6a6563")


def stream_id(name: str) -> UUID:
    """The stream of a read model, by its name without a version: `users`."""
    return uuid5(_NAMES, name)


class ParkedEventsRetried(Event, frozen=True):
    """The events of a user that a read model had parked, or all that it had (`key` null), were to be tried again."""

    name: str
    key: UUID | None


class ParkedEventDiscarded(Event, frozen=True):
    """A read model does without an event that it had parked; the later ones of that user go on."""

    name: str
    position: int


class RebuildAsked(Event, frozen=True):
    """A read model of this version was to be built anew from the log, beside the table that served it."""

    name: str
    version: int


ParkingDecision: TypeAlias = ParkedEventsRetried | ParkedEventDiscarded
ProjectionEvent: TypeAlias = ParkingDecision | RebuildAsked
