"""The events that a read model does without: to be passed over by whatever folds its rows, live or anew."""

from events.codec import decode
from events.connections import Reading
from events.projection import ParkedEventDiscarded, stream_id

__all__ = ["discarded"]


async def discarded(connection: Reading, name: str) -> set[int]:
    """The positions of the events that were discarded for the read model of this name, `users`; often none.

    Raises `UnknownEvent` for a decision that a newer version of Muster recorded.
    """
    stream, topic = stream_id(name), ParkedEventDiscarded.__name__
    rows = await connection.fetch(
        "SELECT originator_version, state FROM stored_events WHERE originator_id = $1 AND topic = $2", stream, topic
    )
    decisions = (decode(topic, row["state"], stream, row["originator_version"], None) for row in rows)
    return {decision.position for decision in decisions if isinstance(decision, ParkedEventDiscarded)}
