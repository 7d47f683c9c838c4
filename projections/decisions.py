"""What was decided about parked events, as a projection meets it on the log."""

from collections.abc import Sequence
from typing import Any, Final, get_args

import msgspec
import structlog

from events.codec import SealBroken
from events.data_keys import DataKeys
from events.event import UnknownEvent
from events.projection import ParkingDecision
from events.store import recorded
from projections.causes import told

__all__ = ["DECISIONS", "decision", "undecided"]

DECISIONS: Final = tuple(event.__name__ for event in get_args(ParkingDecision))
"""The topics that a projection takes beside those of its model."""

_log = structlog.get_logger()


def undecided(rows: Sequence[Any]) -> Sequence[Any]:
    """The rows up to the first decision: what follows it is for the next step."""
    for place, row in enumerate(rows):
        if row["topic"] in DECISIONS:
            return rows[:place]
    return rows


def decision(row: Any, name: str, keys: DataKeys) -> ParkingDecision | None:
    """What was decided for the read model of this name, or None.

    A decision that cannot be read is passed over: what it was about stays parked, and can be decided on again.
    """
    try:
        event = recorded(row, keys).event
    except (UnknownEvent, SealBroken, msgspec.MsgspecError) as error:
        _log.error("decision not understood", position=row["notification_id"], cause=told(error))
        return None
    assert isinstance(event, ParkingDecision)
    return event if event.name == name else None
