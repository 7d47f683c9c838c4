"""What was decided about deliveries of reactions: a stream for each that an operator had attempted again."""

from events.event import Event

__all__ = ["STREAM_TYPE", "DeliveryRedriven"]

STREAM_TYPE = "delivery"


class DeliveryRedriven(Event, frozen=True):
    """A delivery that had been given up was to be attempted again: by which reaction, in which slot, about which position."""

    reaction: str
    slot: str
    position: int
